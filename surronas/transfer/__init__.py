"""Transfer across devices and data sets: what to measure first, and what other tasks say of the rest."""

from __future__ import annotations

from surronas.transfer.references import suggest_reference_architectures
from surronas.transfer.source import Source, SourceTasks, as_source

__all__ = ["Source", "SourceTasks", "as_source", "suggest_reference_architectures"]
