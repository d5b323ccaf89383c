"""The picture of the space `mbconv`, docs/mbconv.svg: its parts in a row, dashed where the depth can leave them out."""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

import numpy as np

from surronas.spaces.mbconv import MBConv

BLOCK, GAP, TOP, TALLEST = 44, 10, 64, 120
FUSED, INVERTED, FIXED = "#f2b872", "#8fb8de", "#d9d9d9"


def box(x: float, height: float, fill: str, optional: bool = False, width: float = BLOCK) -> str:
    dashes = ' stroke-dasharray="4 3" fill-opacity="0.35"' if optional else ""
    y = TOP + (TALLEST - height) / 2
    return (
        f'<rect x="{x}" y="{y:.0f}" width="{width}" height="{height:.0f}" rx="5" fill="{fill}" stroke="#555"{dashes}/>'
    )


def label(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y}" text-anchor="middle"{style}>{escape(text)}</text>'


def between(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def choices(values: tuple[int, ...]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def column(x: float, title: str, lines: list[str]) -> str:
    texts = [label(x, 40, title, ' font-weight="bold"')]
    return "".join(texts + [label(x, TOP + TALLEST + 24 + 17 * row, text) for row, text in enumerate(lines)])


def picture(space: MBConv) -> str:
    at = space.shapes([space.smallest(), space.largest()])
    channels, sides = at.c_out, at.side_out
    tallest = max(channels.max(), at.features.max() / 4)
    parts, x = [], 12.0

    def height(width: float) -> float:
        return 24 + (TALLEST - 24) * width / tallest

    pixels = between(*at.resolution[:, 0])
    parts += [box(x, TALLEST, "#fff", width=66), column(x + 33, "image", [f"{pixels}", "pixels", "a side"])]
    x += 66 + 2 * GAP
    parts += [box(x, height(at.stem.max()), FIXED)]
    parts.append(column(x + BLOCK / 2, "stem", ["3x3", f"{between(*at.stem[:, 0])}", "channels"]))
    x += BLOCK + 2.5 * GAP
    for number, stage in enumerate(space.stages, start=1):
        columns = [j for j, (s, _) in enumerate(space.places) if s == number]
        start = x
        for j in columns:
            optional = space.places[j][1] > stage.depths[0]
            parts.append(box(x, height(channels[1, j]), FUSED if stage.fused else INVERTED, optional))
            x += BLOCK + GAP
        j = columns[0]
        lines = [
            f"{choices(stage.depths)} blocks",
            f"kernel {choices(stage.kernels)}",
            f"expansion {choices(stage.expands)}",
            f"{between(*channels[:, j])} channels",
            f"maps of {between(*sides[:, j])} pixels",
        ]
        parts.append(column((start + x - GAP) / 2, f"stage {number}", lines))
        x += 2.5 * GAP
    for title, tall, lines in (
        ("features", at.features.max() / 4, ["1x1,", between(*at.features[:, 0]), "channels,", "pooled"]),
        ("classes", 10, ["linear"]),
    ):
        parts += [box(x + 12, height(tall), FIXED), column(x + 12 + BLOCK / 2, title, lines)]
        x += BLOCK + 5 * GAP
    x -= GAP
    bottom = TOP + TALLEST + 24 + 17 * 5 + 16
    legend = [
        (FUSED, False, "fused: dense k x k, then 1x1"),
        (INVERTED, False, "inverted bottleneck: 1x1, depthwise k x k, 1x1"),
        ("#fff", True, "left out by smaller depths"),
    ]
    place = 24.0
    for colour, dashed, text in legend:
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        parts.append(
            f'<rect x="{place}" y="{bottom - 11}" width="16" height="13" rx="3" fill="{colour}" stroke="#555"{dashes}/>'
        )
        parts.append(f'<text x="{place + 23}" y="{bottom}">{escape(text)}</text>')
        place += 60 + 6.4 * len(text)
    size = f"{space.size:,} architectures" if space.size else ""
    low, high = np.round(space.cost([space.smallest(), space.largest()])[["params", "madds"]] / 1e6, 2).to_numpy()
    parts.append(
        f'<text x="24" y="18">{space.name}: {size}, {low[0]:.2f} to {high[0]:.2f} M parameters, {low[1]:.1f} to '
        f"{high[1]:.1f} M multiply-adds. Width multiplier {choices(space.widths)} for all channels.</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x:.0f} {bottom + 16}" font-family="sans-serif" '
        f'font-size="12" fill="#222"><rect width="{x:.0f}" height="{bottom + 16}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[1] / "docs" / "mbconv.svg"
    parser.add_argument("--to", type=Path, default=default, help="(docs/mbconv.svg)")
    parser.parse_args().to.write_text(picture(MBConv()), encoding="utf-8")
