"""Which format a file or folder looks like, for the error that asks to name it."""

from __future__ import annotations

import re
from pathlib import Path

from surronas.datasets.formats import list_formats

__all__ = ["format_hint"]

_EVIDENT = (
    (re.compile(r"NATS-[ts]ss-.*|.*\.pickle\.pbz2"), "nats_bench"),
    (re.compile(r"(zc|suite_zero).*\.json", re.IGNORECASE), "suite_zero"),
    (re.compile(r"HW-?NAS-?Bench.*", re.IGNORECASE), "hw_nas_bench"),
    (re.compile(r"nb\d+_.*\.(pkl|pickle)"), "naslib"),
)


def format_hint(path: Path) -> str:
    """How an error about a file or folder that is no plain table ends: the format it looks like, or all there are."""
    names = [path.name, *(sorted(entry.name for entry in path.iterdir())[:20] if path.is_dir() else ())]
    for pattern, format_name in _EVIDENT:
        if any(pattern.fullmatch(name) for name in names):
            return f" It looks like {format_name}: pass format={format_name!r}."
    return f" Other layouts need 'format', one of {', '.join(list_formats())}."
