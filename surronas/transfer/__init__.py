"""Transfer across devices and data sets: what to measure first, how, and what other tasks say of the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'surronas.transfer' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
