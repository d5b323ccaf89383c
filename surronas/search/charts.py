"""The charts of a search's page, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
from moocore import is_nondominated

from surronas.benchmark.charts import N_COLOURS, WIDE
from surronas.benchmark.svg import Frame, number, points_of, text_at, ticks
from surronas.search.objectives import FloatArray

__all__ = ["axis_of", "fronts", "lines", "parallel", "strips"]


def axis_of(name: str, values: pd.Series) -> tuple[str, FloatArray]:
    """What to write at an axis, and the values in the unit that it says: millions, where there are many."""
    column = values.to_numpy(dtype=np.float64)
    millions = np.nanmax(np.abs(column), initial=0.0) >= 1e6
    return (f"{name} (millions)", column / 1e6) if millions else (name, column)


def fronts(
    snapshots: Mapping[str, tuple[FloatArray, FloatArray]],
    cloud: tuple[FloatArray, FloatArray],
    labels: tuple[str, str],
    better_high: tuple[bool, bool] = (False, False),
    width: int = WIDE,
) -> str:
    """Fronts as they came to be, the last one strongest, over all that was evaluated.

    A line joins what is Pareto-optimal in these two objectives, small dots; of the last front, all members are dots.

    Parameters
    ----------
    snapshots : mapping of name to (x, y)
        In the order of time.
    cloud : (x, y)
        Of all architectures; cut at the frame.
    labels : (str, str)
    better_high : (bool, bool)
    """
    frame = Frame(width, 440 if width >= WIDE else 320, left=62)
    x_all, y_all = (np.concatenate([part[i] for part in snapshots.values()]) for i in (0, 1))
    if not len(x_all):
        return frame.picture("Front", [text_at(width / 2, frame.height / 2, "nothing feasible", "middle")])
    # All that was evaluated would squeeze the fronts: their range, and some more of what is around.
    low_x, high_x = _range(x_all, cloud[0])
    low_y, high_y = _range(y_all, cloud[1])
    xs, ys = ticks(low_x, high_x, 5 if width < WIDE else 8), ticks(low_y, high_y)
    x, y = frame.x(xs[0], xs[-1]), frame.y(ys[0], ys[-1])
    step = min(np.diff(xs))
    parts = [frame.grid(x, y, {v: number(v, step) for v in xs}, ys, *labels)]
    for px, py in zip(*cloud, strict=True):
        if xs[0] <= px <= xs[-1] and ys[0] <= py <= ys[-1]:
            parts.append(f'<circle class="dot c8" style="opacity:.3" cx="{x(px):.1f}" cy="{y(py):.1f}" r="2.5"/>')
    for i, (name, (fx, fy)) in enumerate(snapshots.items()):
        last = i == len(snapshots) - 1
        colour = f"c{(len(snapshots) - 1 - i) % N_COLOURS}"
        dashed = "" if last else " dashed"
        best = is_nondominated(np.stack([fx, fy], axis=1), maximise=list(better_high)) if len(fx) else []
        points = [(x(px), y(py)) for px, py in sorted(zip(fx[best], fy[best], strict=True))]
        parts.append(f'<polyline class="line {colour}{dashed}" points="{points_of(points)}"/>')
        if not last:  # a line of one point would not be seen
            parts += [f'<circle class="dot {colour}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>' for px, py in points]
        for vx, vy in zip(fx, fy, strict=True) if last else ():
            hint = f"{name}: {labels[0]} {vx:.4g}, {labels[1]} {vy:.4g}"
            place = f'cx="{x(vx):.1f}" cy="{y(vy):.1f}"'
            parts.append(f'<circle class="dot {colour}" {place} r="4"><title>{escape(hint)}</title></circle>')
    return frame.picture(f"Fronts: {labels[1]} against {labels[0]}", parts)


def _range(front: FloatArray, cloud: FloatArray) -> tuple[float, float]:
    low, high = float(front.min()), float(front.max())
    margin = 0.25 * (high - low)
    near = cloud[(cloud >= low - margin) & (cloud <= high + margin)]
    return float(min(low, near.min(initial=low))), float(max(high, near.max(initial=high)))


def lines(series: Mapping[str, tuple[FloatArray, FloatArray]], labels: tuple[str, str], width: int = WIDE) -> str:
    """Lines over the number of evaluations; a NaN is a gap."""
    frame = Frame(width, 300 if width >= WIDE else 240, left=62)
    known = {name: (xs[good], ys[good]) for name, (xs, ys) in series.items() if (good := np.isfinite(ys)).any()}
    if not known:
        return frame.picture(labels[1], [text_at(width / 2, frame.height / 2, "too few evaluations", "middle")])
    x_all, y_all = (np.concatenate([part[i] for part in known.values()]) for i in (0, 1))
    xs, ys = ticks(0.0, float(x_all.max()), 5 if width < WIDE else 10), ticks(float(y_all.min()), float(y_all.max()), 5)
    x, y = frame.x(xs[0], xs[-1]), frame.y(ys[0], ys[-1])
    step = min(np.diff(xs))
    parts = [frame.grid(x, y, {v: number(v, step) for v in xs}, ys, *labels)]
    for i, name in enumerate(series):
        if name in known:
            points = [(x(px), y(py)) for px, py in zip(*known[name], strict=True)]
            parts.append(f'<polyline class="line c{i % N_COLOURS}" points="{points_of(points)}"/>')
            px, py = points[-1]
            hint = f"{name}: {known[name][1][-1]:.4g}"
            parts.append(
                f'<circle class="dot c{i % N_COLOURS}" cx="{px:.1f}" cy="{py:.1f}" r="4">'
                f"<title>{escape(hint)}</title></circle>"
            )
    return frame.picture(f"{labels[1]} by {labels[0]}", parts)


def parallel(values: pd.DataFrame, better_high: Sequence[bool], width: int = WIDE) -> str:
    """The front in parallel coordinates: a line an architecture, an axis an objective, better at the top.

    Parameters
    ----------
    values : DataFrame
        A row an architecture, a column an objective, at least two.
    better_high : sequence of bool
        Of each column.
    """
    narrow = width < WIDE
    frame = Frame(width, 380, left=60 if not narrow else 40, right=60 if not narrow else 40, top=34, bottom=56)
    x = frame.x(0, len(values.columns) - 1)
    top, bottom = frame.top, frame.height - frame.bottom
    places, parts = [], []
    for i, (name, high) in enumerate(zip(values.columns, better_high, strict=True)):
        label, column = axis_of(str(name), values[name])
        low, up = float(column.min()), float(column.max())
        share = (column - low) / (up - low) if up > low else np.full(len(column), 0.5)
        places.append(bottom - (share if high else 1 - share) * (bottom - top))
        parts.append(f'<line class="axis" x1="{x(i):.1f}" x2="{x(i):.1f}" y1="{top}" y2="{bottom}"/>')
        best, worst = (up, low) if high else (low, up)
        parts.append(text_at(x(i), top - 10, f"{best:.4g}", "middle"))
        parts.append(text_at(x(i), bottom + 18, f"{worst:.4g}", "middle"))
        parts.append(text_at(x(i), bottom + (38 if not narrow or i % 2 == 0 else 53), label, "middle", "title"))
    for row in range(len(values)):
        colour = f"c{0 if row % 2 == 0 else 2}"
        hint = ", ".join(f"{name} {values[name].iloc[row]:.4g}" for name in values.columns)
        points = points_of([(x(i), column[row]) for i, column in enumerate(places)])
        parts.append(
            f'<polyline class="line {colour}" style="opacity:.55;stroke-width:1.6" points="{points}">'
            f"<title>{escape(hint)}</title></polyline>"
        )
    return frame.picture("The front in parallel coordinates", parts)


def strips(
    rows: Mapping[str, Sequence[tuple[float, float, str]]], colours: Mapping[str, int], width: int = WIDE
) -> str:
    """Who led when: of each row spans (start, end, name) along the number of evaluations."""
    frame = Frame(width, 44 + 52 * len(rows), left=14, right=14, top=6, bottom=40)
    end = max((span[1] for spans in rows.values() for span in spans), default=1.0)
    xs = ticks(0.0, end, 5 if width < WIDE else 10)
    x = frame.x(xs[0], xs[-1])
    parts = [text_at(x(v), frame.height - 22, number(v, min(np.diff(xs))), "middle") for v in xs]
    parts.append(text_at(width / 2, frame.height - 5, "evaluations", "middle", "title"))
    for i, (title, spans) in enumerate(rows.items()):
        top = frame.top + 52 * i
        parts.append(text_at(frame.left, top + 13, title, "start", "label"))
        for start, stop, name in spans:
            hint = f"{name}: {start:.0f} to {stop:.0f} evaluations"
            parts.append(
                f'<rect class="c{colours[name] % N_COLOURS}" style="fill:var(--c)" x="{x(start):.1f}" y="{top + 20}" '
                f'width="{max(x(stop) - x(start) - 1, 1):.1f}" height="20"><title>{escape(hint)}</title></rect>'
            )
    return frame.picture("The leading predictor by evaluations", parts)
