"""Transfer across devices and data sets: what to measure first, how, and what other tasks say of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surronas.lazy import on_first_use
from surronas.transfer.references import suggest_reference_architectures
from surronas.transfer.source import Source, SourceTasks, as_source

# Imported on first use: they need torch.
_HOMES = {"measure_blocks": "surronas.transfer.lookup", "measure_latency": "surronas.transfer.latency"}

__all__ = [
    "Source",
    "SourceTasks",
    "as_source",
    "measure_blocks",
    "measure_latency",
    "suggest_reference_architectures",
]

if TYPE_CHECKING:
    from surronas.transfer.latency import measure_latency
    from surronas.transfer.lookup import measure_blocks

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
