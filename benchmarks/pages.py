"""Tables of the pages that benchmarks write."""

from __future__ import annotations

import pandas as pd


def markdown(frame: pd.DataFrame, decimals: int = 3) -> str:
    """A DataFrame without its index; what is missing is left empty."""
    rows = [
        ["" if pd.isna(v) else f"{v:.{decimals}f}" if isinstance(v, float) else str(v) for v in row]
        for row in frame.itertuples(index=False)
    ]
    lines = [[str(name).replace("_", " ") for name in frame.columns], ["---"] * frame.shape[1], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
