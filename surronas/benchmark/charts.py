"""The charts of a report as inline SVG: small, sharp at every size, coloured by the page, readable without scripts."""

from __future__ import annotations

from html import escape
from math import log

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.benchmark.svg import Frame, number, points_of, spread, text_at, ticks

__all__ = ["NARROW", "N_COLOURS", "WIDE", "curves", "rank_chart", "scatter"]

WIDE, NARROW = 900, 350
N_COLOURS = 10


def curves(summary: pd.DataFrame, label: str, width: int = WIDE, nominal: float | None = None) -> str:
    """A score against the number of training architectures: means, with bands of one standard error.

    Parameters
    ----------
    summary : DataFrame
        As `Report.summary` gives it.
    label : str
        Of the score.
    width : int
        Pixels; a narrow picture leaves the names to the page's legend.
    nominal : float, optional
        A value to mark by a dashed line.
    """
    names = list(summary["predictor"].unique())
    named = width >= WIDE
    frame = Frame(width, 400 if named else 300, right=24 + 7 * max(map(len, names)) if named else 14)
    known = summary.dropna(subset="mean").assign(sem=lambda rows: rows["sem"].fillna(0.0))
    if known.empty:
        return frame.picture(label, [text_at(width / 2, frame.height / 2, "no value in any cell", "middle")])
    sizes = sorted(summary["n_train"].unique())
    shift = 0.15 if len(sizes) == 1 else 0.0
    x_log = frame.x(log(sizes[0]) - shift, log(sizes[-1]) + shift)
    ends = np.r_[known["mean"] - known["sem"], known["mean"] + known["sem"], [] if nominal is None else [nominal]]
    ys = ticks(float(ends.min()), float(ends.max()))
    y = frame.y(ys[0], ys[-1])

    def x(n: float) -> float:
        return x_log(log(n))

    parts = [frame.grid(x, y, {n: str(n) for n in sizes}, ys, "training architectures", label)]
    if nominal is not None:
        x1, level = width - frame.right, y(nominal)
        parts.append(f'<line class="nominal" x1="{frame.left}" x2="{x1}" y1="{level:.1f}" y2="{level:.1f}"/>')
    bands, lines, tags = [], [], []
    for i, name in enumerate(names):
        rows = known[known["predictor"] == name].sort_values("n_train")
        if rows.empty:
            continue
        colour = f"c{i % N_COLOURS}"
        upper = [(x(n), y(m + s)) for n, m, s in zip(rows["n_train"], rows["mean"], rows["sem"], strict=True)]
        lower = [(x(n), y(m - s)) for n, m, s in zip(rows["n_train"], rows["mean"], rows["sem"], strict=True)]
        points = [(x(n), y(m)) for n, m in zip(rows["n_train"], rows["mean"], strict=True)]
        bands.append(f'<polygon class="band {colour}" points="{points_of(upper + lower[::-1])}"/>')
        dashed = " dashed" if i >= N_COLOURS else ""
        lines.append(f'<polyline class="line {colour}{dashed}" points="{points_of(points)}"/>')
        for (px, py), row in zip(points, rows.itertuples(), strict=True):
            hint = f"{name}, n = {row.n_train}: {row.mean:.4g} ± {row.sem:.2g} ({row.n} repeats)"
            lines.append(
                f'<circle class="dot {colour}" cx="{px:.1f}" cy="{py:.1f}" r="4"><title>{escape(hint)}</title></circle>'
            )
        tags.append((points[-1][1], name, colour))
    parts += bands + lines
    if named:
        for place, (_, name, colour) in zip(spread([tag[0] for tag in tags], 16.0), tags, strict=True):
            parts.append(text_at(width - frame.right + 12, place + 4, name, "start", f"name {colour}"))
    return frame.picture(f"{label} by number of training architectures", parts)


def rank_chart(means: pd.Series, distance: float, colours: dict[str, int], width: int = WIDE) -> str:
    """Mean ranks, best on top, each with half a critical difference to both sides.

    Two predictors whose bars do not overlap differ at the 5 % level (Nemenyi).

    Parameters
    ----------
    means : Series
        Mean rank by name, best first.
    distance : float
        The critical difference.
    colours : dict
        The number of each name's colour.
    """
    wide = width >= WIDE
    row, left = (36, 18 + int(7.3 * max(map(len, means.index)))) if wide else (48, 16)
    frame = Frame(width, 62 + row * len(means), left=left, right=26 if wide else 16, top=10, bottom=44)
    low = min(1.0, float(means.min()) - distance / 2)
    high = max(float(len(means)), float(means.max()) + distance / 2)
    x = frame.x(low, high)
    y0 = frame.height - frame.bottom
    parts = []
    for rank in range(1, len(means) + 1):
        parts.append(f'<line class="grid" x1="{x(rank):.1f}" x2="{x(rank):.1f}" y1="{frame.top}" y2="{y0}"/>')
        parts.append(text_at(x(rank), y0 + 17, str(rank), "middle"))
    parts.append(text_at((left + width - frame.right) / 2, frame.height - 6, "mean rank (1 = best)", "middle", "title"))
    for i, (name, mean) in enumerate(means.items()):
        y = frame.top + row * (i + 0.75)
        colour = f"c{colours[str(name)] % N_COLOURS}"
        hint = f"{name}: mean rank {mean:.2f}, bar ± {distance / 2:.2f}"
        parts.append(
            f'<g><title>{escape(hint)}</title><line class="bar {colour}" x1="{x(mean - distance / 2):.1f}" '
            f'x2="{x(mean + distance / 2):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot {colour}" cx="{x(mean):.1f}" cy="{y:.1f}" r="6"/></g>'
        )
        if wide:
            parts.append(text_at(left - 12, y + 4, str(name), "end", "label"))
            parts.append(text_at(x(mean), y - 11, f"{mean:.2f}", "middle", "value"))
        else:
            parts.append(text_at(left - 8, y - 14, f"{name}  {mean:.2f}", "start", "label"))
    return frame.picture("Mean ranks with critical difference", parts)


def scatter(
    y_true: NDArray[np.float64],
    mean: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    label: str,
    width: int = WIDE,
) -> str:
    """Predicted against true values with their intervals, cut at the frame; one that misses the truth is marked."""
    frame = Frame(width, 440 if width >= WIDE else 320)
    xs = ticks(float(y_true.min()), float(y_true.max()), 5 if width < WIDE else 8)
    ys = ticks(float(min(y_true.min(), mean.min())), float(max(y_true.max(), mean.max())))
    x, y = frame.x(xs[0], xs[-1]), frame.y(ys[0], ys[-1])
    step = min(np.diff(xs))
    parts = [frame.grid(x, y, {v: number(v, step) for v in xs}, ys, f"true {label}", f"predicted {label}")]
    start, end = max(xs[0], ys[0]), min(xs[-1], ys[-1])
    if start < end:
        parts.append(
            f'<line class="nominal" x1="{x(start):.1f}" y1="{y(start):.1f}" x2="{x(end):.1f}" y2="{y(end):.1f}"/>'
        )
    for truth, guess, bottom, top in zip(y_true, mean, low, high, strict=True):
        inside = "c0" if bottom <= truth <= top else "c1"
        hint = f"true {truth:.4g}, predicted {guess:.4g}, 90 % interval {bottom:.4g} to {top:.4g}"
        parts.append(
            f'<g><title>{escape(hint)}</title><line class="whisker {inside}" x1="{x(truth):.1f}" x2="{x(truth):.1f}" '
            f'y1="{y(max(bottom, ys[0])):.1f}" y2="{y(min(top, ys[-1])):.1f}"/>'
            f'<circle class="dot {inside}" cx="{x(truth):.1f}" cy="{y(guess):.1f}" r="3"/></g>'
        )
    return frame.picture(f"Predicted against true {label}", parts)
