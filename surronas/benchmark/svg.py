"""The few pieces of SVG that charts are made of: a frame with scales and axes, round ticks, labels that keep apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np

__all__ = ["Frame", "Scale", "number", "points_of", "spread", "text_at", "ticks"]

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Frame:
    """The rectangle that the data are drawn in, within a picture of some size."""

    width: int
    height: int
    left: int = 52
    right: int = 14
    top: int = 12
    bottom: int = 42

    def x(self, low: float, high: float) -> Scale:
        return linear(low, high, self.left, self.width - self.right)

    def y(self, low: float, high: float) -> Scale:
        return linear(low, high, self.height - self.bottom, self.top)

    def picture(self, label: str, parts: Sequence[str]) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(label)}" '
            f'style="max-width:{self.width}px">{"".join(parts)}</svg>'
        )

    def grid(self, x: Scale, y: Scale, xs: dict[float, str], ys: Sequence[float], x_label: str, y_label: str) -> str:
        """Horizontal grid lines, tick labels and axis titles."""
        x0, x1, y0 = self.left, self.width - self.right, self.height - self.bottom
        step = min(np.diff(ys), default=1.0)
        parts = []
        for value in ys:
            parts.append(f'<line class="grid" x1="{x0}" x2="{x1}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
            parts.append(text_at(x0 - 7, y(value) + 4, number(value, step), "end"))
        for value, text in xs.items():
            parts.append(f'<line class="tick" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{y0}" y2="{y0 + 4}"/>')
            parts.append(text_at(x(value), y0 + 18, text, "middle"))
        parts.append(f'<line class="axis" x1="{x0}" x2="{x1}" y1="{y0}" y2="{y0}"/>')
        parts.append(text_at((x0 + x1) / 2, self.height - 5, x_label, "middle", "title"))
        middle = (self.top + y0) / 2
        parts.append(
            f'<text class="title" text-anchor="middle" transform="translate(12 {middle:.1f}) rotate(-90)">'
            f"{escape(y_label)}</text>"
        )
        return "".join(parts)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (end - start) * (value - low) / (high - low)


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - max(abs(low), 1.0) * 0.1, high + max(abs(high), 1.0) * 0.1
    raw = (high - low) / about
    power = 10.0 ** floor(log10(raw))
    step = next(step for m in (1, 2, 2.5, 5, 10) if (step := m * power) >= raw)
    return [i * step for i in range(floor(low / step + 1e-9), ceil(high / step - 1e-9) + 1)]


def number(value: float, step: float) -> str:
    decimals = next((d for d in range(8) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 8)
    text = f"{value:,.{decimals}f}" if abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text.replace(",", "")) else text.lstrip("-")


def spread(places: list[float], gap: float) -> list[float]:
    """The places moved apart, as little as keeps them ``gap`` from each other and in order."""
    order = np.argsort(places, kind="stable")
    offsets = gap * np.arange(len(places))
    wanted = np.asarray(places)[order] - offsets
    # The nearest non-decreasing sequence: pool neighbours that are out of order.
    blocks: list[list[float]] = []
    for value in wanted:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    moved = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks]) + offsets
    result = np.empty(len(places))
    result[order] = moved
    return [float(value) for value in result]


def points_of(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def text_at(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    style = f' class="{style}"' if style else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
