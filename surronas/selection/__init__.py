"""Adaptive switching: from candidates to a calibrated blend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surronas.lazy import on_first_use
from surronas.selection.candidates import Candidate, resolve_candidates
from surronas.selection.diagnosis import Diagnosis, diagnose
from surronas.selection.switching import AdaptiveSwitching, HeldOut
from surronas.selection.untrained import Untrained

# Imported on first use: they need Optuna.
_HOMES = dict.fromkeys(("TunedCandidate", "tune"), "surronas.selection.tuning")

__all__ = [
    "AdaptiveSwitching",
    "Candidate",
    "Diagnosis",
    "HeldOut",
    "TunedCandidate",
    "Untrained",
    "diagnose",
    "resolve_candidates",
    "tune",
]

if TYPE_CHECKING:
    from surronas.selection.tuning import TunedCandidate, tune

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
