"""The head of the atlas's picture: every ratio of RLT by width, between what is best and what is proved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from kvtheory.report.svg import line, text
from kvtheory.width import harmonic

LRU, BEST, RLT, CAP, GREY, GRID = "#1d2733", "#228833", "#d1602c", "#4477aa", "#6b7580", "#eceff2"
HEIGHT, TOP, BOTTOM, LEFT = 330.0, 26.0, 42.0, 44.0

Row = dict[str, Any]


def strip(rows: Sequence[Row], left: float, top: float, width: float) -> tuple[list[str], float]:
    """SVG elements and their height.

    Args:
        rows: an atlas with `lru` and `rlt`.
        left: in pixels.
        top: in pixels.
        width: in pixels.
    """
    widths = sorted({row["W"] for row in rows})
    most = max(widths[-1] - 1, 2)
    legend = 250.0
    column = (width - LEFT - legend) / len(widths)
    low, high = top + HEIGHT - BOTTOM, top + TOP

    def height(ratio: Fraction | float) -> float:
        return float(low - (float(ratio) - 1) / (most - 1) * (low - high))

    body = []
    for ratio in range(1, most + 1):
        y = height(ratio)
        body.append(line(left + LEFT, y, left + width - legend, y, stroke=GRID, width=1))
        body.append(text(left + LEFT - 8, y + 4, str(ratio), size=11, fill=GREY, anchor="end"))
    middles = {W: left + LEFT + (i + 0.5) * column for i, W in enumerate(widths)}
    for ratio_of, tint in ((lambda W: Fraction(max(1, W - 1)), LRU), (_best, BEST)):
        for a, b in pairwise(widths):
            ends = (middles[a], height(ratio_of(a)), middles[b], height(ratio_of(b)))
            body.append(line(*ends, stroke=tint, width=1, dash="2 3"))
    for W, x in middles.items():
        there = [row for row in rows if row["W"] == W]
        body += _column(there, x, min(column * 0.36, 60.0), height)
        body.append(text(x, low + 20, f"W = {W}", size=12, anchor="middle", weight="bold"))
        body.append(text(x, low + 35, f"{len(there)} instances", size=10.5, fill=GREY, anchor="middle"))
    body += _legend(left + width - legend + 24, high + 8)
    return body, HEIGHT


def _best(W: int) -> Fraction:
    return harmonic(max(1, W - 1))


def _column(rows: Sequence[Row], x: float, half: float, height: Any) -> Iterator[str]:
    """All instances of one width: marks for LRU, the optimum and the conjectured cap, dots for RLT."""
    W = rows[0]["W"]
    for w in sorted({row["w"] for row in rows}):
        y = height(2 * harmonic(w) - 1)
        yield line(x - half, y, x + half, y, stroke=CAP, width=1.5, dash="5 3")
        yield text(x + half + 4, y + 3.5, f"2H({w})-1", size=9, fill=CAP)
    yield line(x - half, height(max(1, W - 1)), x + half, height(max(1, W - 1)), stroke=LRU, width=2.5)
    ratios = Counter(Fraction(r) for row in rows if (r := row["policies"]["rlt"]["ratio"]))
    for ratio, times in sorted(ratios.items()):
        title = f"<title>RLT {ratio} on {times} instances with W = {W}</title>"
        yield (
            f'<circle cx="{x:.2f}" cy="{height(ratio):.2f}" r="{2 + times**0.5:.2f}" fill="{RLT}" '
            f'fill-opacity="0.75">{title}</circle>'
        )
    y = height(_best(W))
    yield f'<path d="M{x - half:.2f} {y:.2f}l6 -5v10z" fill="{BEST}"/>'
    yield f'<path d="M{x + half:.2f} {y:.2f}l-6 -5v10z" fill="{BEST}"/>'


def _legend(x: float, y: float) -> Iterator[str]:
    yield text(x, y, "competitive ratio, by width", size=12, weight="bold")
    yield line(x, y + 20, x + 26, y + 20, stroke=LRU, width=2.5)
    yield text(x + 34, y + 24, "leaf-LRU: W - 1, the best deterministic", size=11)
    yield f'<path d="M{x + 7:.2f} {y + 42:.2f}l6 -5v10z" fill="{BEST}"/>'
    yield text(x + 34, y + 46, "best randomised: H(W - 1)", size=11)
    yield f'<circle cx="{x + 12:.2f}" cy="{y + 64:.2f}" r="5" fill="{RLT}" fill-opacity="0.75"/>'
    yield text(x + 34, y + 68, "RLT; area: how many instances", size=11)
    yield line(x, y + 86, x + 26, y + 86, stroke=CAP, width=1.5, dash="5 3")
    yield text(x + 34, y + 90, "2H(w) - 1, conjectured cap of RLT", size=11)
