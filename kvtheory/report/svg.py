"""Three strokes of SVG, and a scale of colours for ratios."""

from __future__ import annotations

from xml.sax.saxutils import escape

LOW, HIGH = (0xFD, 0xF6, 0xE3), (0xE0, 0x7B, 0x39)
LEAST, MOST = 1.0, 6.0


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    fill: str = "#1d2733",
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    """Words on a base line.

    Args:
        x: where, in pixels.
        y: of the base line.
        words: escaped here.
        size: of the font, in pixels.
        fill: colour.
        anchor: `start`, `middle` or `end` of the words is at x.
        weight: of the font.
    """
    style = f'font-size="{size:g}" font-weight="{weight}" fill="{fill}" text-anchor="{anchor}"'
    return f'<text x="{x:.2f}" y="{y:.2f}" {style}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str, width: float, dash: str = "") -> str:
    """A straight line, in pixels; `dash` as SVG writes it."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{stroke}" '
        f'stroke-width="{width:g}"{dashes}/>'
    )


def colour(ratio: float) -> str:
    """Light at ratio 1, darker up to 6, and always light enough for black figures."""
    share = min(max((ratio - LEAST) / (MOST - LEAST), 0.0), 1.0) ** 0.7
    mixed = (round(a + (b - a) * share) for a, b in zip(LOW, HIGH, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
