"""MetaD2A: from a data set to architectures."""
