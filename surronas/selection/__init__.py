"""Adaptive switching: from candidates to a calibrated blend."""

from __future__ import annotations

from surronas.selection.candidates import Candidate, resolve_candidates
from surronas.selection.diagnosis import Diagnosis, diagnose
from surronas.selection.switching import AdaptiveSwitching, HeldOut
from surronas.selection.untrained import Untrained

__all__ = [
    "AdaptiveSwitching",
    "Candidate",
    "Diagnosis",
    "HeldOut",
    "Untrained",
    "diagnose",
    "resolve_candidates",
]
