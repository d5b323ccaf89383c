"""Tables and pictures of the pages that benchmarks write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from surronas.benchmark.svg import text_at


def markdown(frame: pd.DataFrame, decimals: int = 3) -> str:
    """A DataFrame without its index; what is missing is left empty."""
    rows = [
        ["" if pd.isna(v) else f"{v:.{decimals}f}" if isinstance(v, float) else str(v) for v in row]
        for row in frame.itertuples(index=False)
    ]
    lines = [[str(name).replace("_", " ") for name in frame.columns], ["---"] * frame.shape[1], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def svg(width: int, height: int, parts: Sequence[str]) -> str:
    """A file of its own, with the colours of ``Frame.grid`` on white."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
    style = "text{fill:#555}.title{fill:#222}.grid{stroke:#e4e4e4}.axis,.tick{stroke:#888}"
    ground = f'<rect width="{width}" height="{height}" fill="#fff"/><style>{style}</style>'
    return f'{head}font-size="12">{ground}{"".join(parts)}</svg>\n'


def legend(colours: Mapping[str, str], x: int, y: int, apart: int) -> list[str]:
    """Lines and their names, beside each other."""
    parts = []
    for place, (name, colour) in zip(range(x, x + apart * len(colours), apart), colours.items(), strict=True):
        parts.append(f'<rect x="{place}" y="{y}" width="16" height="4" fill="{colour}"/>')
        parts.append(text_at(place + 22, y + 6, name, "start"))
    return parts
