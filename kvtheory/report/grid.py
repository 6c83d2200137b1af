"""A sequence as a picture: time across, the tree down, what was asked for coloured by hit or miss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from kvtheory.model import Trace
from kvtheory.ratio.marginals import Marginals, misses
from kvtheory.report.schedules import rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIT, MISS, HELD = (0.16, 0.44, 0.71), (0.80, 0.18, 0.15), 0.82


@dataclass(frozen=True)
class Played:
    """One player of the sequence.

    Attributes:
        name: who plays.
        cached: chance that each node is cached before each request, shape (requests, n + 1).
    """

    name: str
    cached: Marginals


def draw_grid(trace: Trace, players: Sequence[Played]) -> Figure:
    """One grid per player, one below the other: a column per request, a row per node.

    A node of the requested path is blue where it is cached and red where it is not, mixed by chance; another
    is the darker grey, the likelier it is cached. The players' totals stand in the titles.

    Args:
        trace: few requests, few nodes.
        players: who serves it.
    """
    from matplotlib.figure import Figure

    size = (1.3 + 0.21 * len(trace), len(players) * (0.75 + 0.2 * trace.tree.n))
    figure = Figure(figsize=size, layout="constrained")
    requests = trace.requests.tolist()
    for place, player in enumerate(players, start=1):
        axes = figure.add_subplot(len(players), 1, place)
        _panel(axes, trace, player.cached)
        total = sum(misses(trace.tree, requests, player.cached), Fraction(0))
        axes.set_title(f"{player.name}: {_number(total)} misses", fontsize="medium", loc="left")
    axes.set_xlabel("request")
    return figure


def _panel(axes: Axes, trace: Trace, cached: Marginals) -> None:
    rows = rows_of(trace.tree)
    picture = [[(1.0, 1.0, 1.0)] * len(trace) for _ in rows]
    for t, v in enumerate(trace.requests.tolist()):
        path = set(trace.tree.path(v))
        for y, u in enumerate(rows):
            chance = float(cached[t][u])
            if u in path:
                mixed = [chance * hit + (1 - chance) * miss for hit, miss in zip(HIT, MISS, strict=True)]
                picture[y][t] = (mixed[0], mixed[1], mixed[2])
            else:
                picture[y][t] = (1 - (1 - HELD) * chance,) * 3
    axes.imshow(picture, aspect="auto", interpolation="nearest")
    axes.set_xticks([x - 0.5 for x in range(1, len(trace))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(rows))], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.set_yticks(
        range(len(rows)), ["· " * (int(trace.tree.depth[u]) - 1) + str(u) for u in rows], fontsize="small"
    )
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.2f}"
