"""Adaptive switching: from candidates to a calibrated blend."""

from __future__ import annotations

from surronas.selection.candidates import Candidate, resolve_candidates
from surronas.selection.switching import AdaptiveSwitching

__all__ = ["AdaptiveSwitching", "Candidate", "resolve_candidates"]
