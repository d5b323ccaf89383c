"""Transfer across devices and data sets: which architectures to measure first."""

from __future__ import annotations

from surronas.transfer.references import suggest_reference_architectures

__all__ = ["suggest_reference_architectures"]
