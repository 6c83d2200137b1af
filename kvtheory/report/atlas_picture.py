"""The atlas as one picture: every forest drawn, and below it a line of exact ratios for each capacity.

SVG by hand and not by matplotlib: the same rows give the same bytes on every machine, so that a hash can
check the file. A line's tooltip holds every policy's ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from kvtheory.report.atlas_strip import strip
from kvtheory.report.svg import colour, line, text

CARD, COLUMNS, MARGIN, GAP = 106, 12, 24, 6
TREE, LINE, HEADER = 54, 13, 11
WIDTH = 2 * MARGIN + COLUMNS * CARD
SHOWN = {
    "lru": "LRU",
    "rlt": "RLT",
    "best-randomized": "best",
    "fifo": "FIFO",
    "best-deterministic": "best det.",
}
WHITE, FRAME, ALARM, GREY, INK = "#ffffff", "#d8dde3", "#c0392b", "#6b7580", "#1d2733"

Row = dict[str, Any]


def picture(rows: Sequence[Row]) -> str:
    """The whole picture.

    Args:
        rows: an atlas.
    """
    names = shown(rows)
    body, y = [*_title(rows, names)], 84.0
    if "rlt" in names and "lru" in names:
        part, height = strip(rows, MARGIN, y, WIDTH - 2 * MARGIN)
        body += part
        y += height
    for band in _bands(rows):
        column = 0
        for n, cards in band:
            body.append(text(MARGIN + column * CARD, y + 16, f"{n} nodes", size=14, weight="bold"))
            column += len(cards)
        y += 24
        in_order = [card for _, cards in band for card in cards]
        for first in range(0, len(in_order), COLUMNS):
            in_line = in_order[first : first + COLUMNS]
            for i, card in enumerate(in_line):
                body += _card(card, names, MARGIN + i * CARD, y)
            y += max(_height(card) for card in in_line) + GAP
        y += 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:g}" width="{WIDTH}" '
        f'height="{y:g}" font-family="Helvetica, Arial, sans-serif">'
    )
    back = f'<rect width="{WIDTH}" height="{y:g}" fill="{WHITE}"/>'
    return "\n".join([head, back, *body, "</svg>"]) + "\n"


def _bands(rows: Sequence[Row]) -> list[list[tuple[int, list[list[Row]]]]]:
    """Forests by size; sizes that fit on one line share it."""
    bands: list[list[tuple[int, list[list[Row]]]]] = []
    taken = COLUMNS
    for n, group in groupby(rows, key=lambda row: row["n"]):
        cards = [list(card) for _, card in groupby(group, key=lambda row: row["parents"])]
        if taken + len(cards) > COLUMNS:
            bands.append([])
            taken = 0
        bands[-1].append((n, cards))
        taken += len(cards)
    return bands


def shown(rows: Sequence[Row]) -> list[str]:
    """The policies whose ratios are printed: at most three."""
    there = list(rows[0]["policies"])
    return ([name for name in SHOWN if name in there] or there)[:3]


def layout(parents: Sequence[int]) -> list[tuple[float, int]]:
    """Position of node 0, 1, ...: leaves at 0, 1, 2, ..., others over the middle of their children; depth."""
    children: list[list[int]] = [[] for _ in range(len(parents) + 1)]
    depth = [0]
    for v, parent in enumerate(parents, start=1):
        children[parent].append(v)
        depth.append(depth[parent] + 1)
    x, leaves = [0.0] * len(children), 0

    def place(v: int) -> None:
        nonlocal leaves
        for u in children[v]:
            place(u)
        if children[v]:
            x[v] = (x[children[v][0]] + x[children[v][-1]]) / 2
        else:
            x[v], leaves = float(leaves), leaves + 1

    place(0)
    return list(zip(x, depth, strict=True))


def _title(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    largest = rows[-1]["n"]
    yield text(
        MARGIN, 34, f"Every prefix tree of at most {largest} nodes, every capacity", size=24, weight="bold"
    )
    explained = {
        "lru": "LRU: leaf-LRU, W - 1",
        "rlt": "RLT: uniformly random unmarked leaf",
        "best-randomized": "best: what any randomised algorithm can do",
        "fifo": "FIFO: leaf-FIFO",
        "best-deterministic": "best det.: what any deterministic algorithm can do",
    }
    words = "; ".join(explained.get(name, name) for name in names)
    yield text(
        MARGIN,
        54,
        f"{len(rows)} instances. Exact competitive ratios over all request sequences, k = capacity. {words}.",
        size=12,
        fill=GREY,
    )
    if "rlt" in names and "lru" in names:
        loses = sum(_alarm(row, "rlt") for row in rows)
        if loses:
            yield text(MARGIN, 71, f"Framed in red: RLT worse than LRU ({loses}).", size=12, fill=ALARM)


def _height(card: Sequence[Row]) -> float:
    return TREE + HEADER + LINE * len(card) + 8


def _card(card: Sequence[Row], names: Sequence[str], left: float, top: float) -> Iterator[str]:
    """One forest: its drawing, a header, and a line for each capacity."""
    inner = CARD - GAP
    yield (
        f'<rect x="{left:g}" y="{top:g}" width="{inner}" height="{_height(card):g}" rx="4" '
        f'fill="none" stroke="{FRAME}"/>'
    )
    yield from _tree(card[0]["parents"], left + inner / 2, top + 8, inner - 16)
    y = top + TREE + 8
    for label, x, _ in _columns(names, left, inner):
        yield text(x, y, label, size=7.5, fill=GREY, anchor="middle")
    y += 4
    for row in card:
        yield f"<g><title>{escape(_tooltip(row))}</title>"
        for (_, x, wide), name in zip(_columns(names, left, inner), ["k", *names], strict=True):
            ratio = None if name == "k" else _ratio(row, name)
            if ratio is not None:
                stroke = ALARM if _alarm(row, name) else WHITE
                yield (
                    f'<rect x="{x - wide / 2 + 0.75:g}" y="{y + 0.5:g}" width="{wide - 1.5:g}" '
                    f'height="{LINE - 1.5:g}" fill="{colour(float(ratio))}" stroke="{stroke}"/>'
                )
            said = str(row["k"]) if name == "k" else _said(row, name)
            size = 8 if len(said) < 6 else 6.8
            yield text(x, y + 9.3, said, size=size, anchor="middle", fill=GREY if name == "k" else INK)
        yield "</g>"
        y += LINE


def _columns(names: Sequence[str], left: float, inner: float) -> Iterator[tuple[str, float, float]]:
    """Label, middle and width of each column of a card."""
    narrow = 12.0
    wide = (inner - narrow - 6) / len(names)
    yield "k", left + 3 + narrow / 2, narrow
    for i, name in enumerate(names):
        yield SHOWN.get(name, name), left + 3 + narrow + (i + 0.5) * wide, wide


def _tree(parents: Sequence[int], middle: float, top: float, room: float) -> Iterator[str]:
    """The forest, the free root hollow."""
    places = layout(parents)
    wide, high = max(x for x, _ in places), max(depth for _, depth in places)
    across = min(17.0, room / max(wide, 1))
    down = min(15.0, (TREE - 12) / high)
    at = [(middle + (x - wide / 2) * across, top + depth * down) for x, depth in places]
    for v, parent in enumerate(parents, start=1):
        yield line(*at[v], *at[parent], stroke=INK, width=1)
    for v, (x, y) in enumerate(at):
        fill, r = (INK, 2.6) if v else (WHITE, 2.9)
        yield f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r}" fill="{fill}" stroke="{INK}"/>'


def _ratio(row: Row, name: str) -> Fraction | None:
    found = row["policies"].get(name, {}).get("ratio")
    return None if found in (None, "inf") else Fraction(found)


def _alarm(row: Row, name: str) -> bool:
    """Whether RLT is worse than leaf-LRU here."""
    mine, lru = _ratio(row, name), _ratio(row, "lru")
    return name == "rlt" and mine is not None and lru is not None and mine > lru


def _said(row: Row, name: str) -> str:
    figure = row["policies"][name]
    if figure["ratio"] == "inf":
        return "∞"
    if figure["ratio"]:
        return str(Fraction(figure["ratio"]))
    return f"≥{float(Fraction(figure['lower'])):.3g}" if figure["lower"] else "?"


def _tooltip(row: Row) -> str:
    parents = ",".join(map(str, row["parents"]))
    ratios: Iterable[str] = (f"{name} {_said(row, name)}" for name in row["policies"])
    return f"--tree {parents} --capacity {row['k']}\nW = {row['W']}, w = {row['w']}\n" + "\n".join(ratios)
