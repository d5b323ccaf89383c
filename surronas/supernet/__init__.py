"""Supernets: elastic networks, their training, evaluation and adaptation, and the shipped weights."""

from __future__ import annotations
