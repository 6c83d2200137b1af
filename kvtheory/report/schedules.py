"""Schedules drawn side by side: what is cached after each request, what was missed, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.result import Number
from kvtheory.offline.witness import replay_schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CACHED, PATH, MISSED = "#b9cfe4", "#1f4e79", "#c0392b"


@dataclass(frozen=True)
class Drawn:
    """One schedule to draw.

    Attributes:
        title: what it is.
        victims: for each request, the nodes evicted while it is served, in order.
    """

    title: str
    victims: Sequence[Sequence[int]]


def draw_schedules(
    trace: Trace,
    capacity: int,
    schedules: Sequence[Drawn],
    *,
    cost: Sequence[Number] | None = None,
    **rules: object,
) -> Figure:
    """One grid per schedule: a row per node (parents above children), a column per request.

    A filled cell is cached after the request, a framed one lies on the requested path, a cross was
    missed. The cost of each request stands below its column, the total in the title.

    Args:
        trace: few requests, few nodes.
        capacity: what the cache holds.
        schedules: what to compare.
        cost: miss cost of each node; default 1.
        rules: `bypass`, `hit_cost` or `size`, as :func:`kvtheory.offline.witness.replay_schedule` takes them.

    Raises:
        VerificationError: if a schedule breaks a rule.
    """
    from matplotlib.figure import Figure

    width = 1.2 + 0.42 * len(trace)
    figure = Figure(figsize=(width * len(schedules), 1.1 + 0.36 * trace.tree.n), layout="constrained")
    parent, requests = trace.tree.parent.tolist(), trace.requests.tolist()
    for i, schedule in enumerate(schedules):
        seen = replay_schedule(
            parent,
            requests,
            capacity,
            schedule.victims,
            miss_cost=cost,
            **rules,  # type: ignore[arg-type]
        )
        axes = figure.add_subplot(1, len(schedules), i + 1)
        _grid(axes, trace, schedule.victims, [str(x) for x in seen.costs])
        axes.set_title(f"{schedule.title}: {sum(seen.costs)}", fontsize="medium")
    return figure


def rows_of(tree: PrefixTree) -> list[int]:
    """Nodes in depth-first order."""
    children: dict[int, list[int]] = {}
    for v in range(tree.n, 0, -1):
        children.setdefault(int(tree.parent[v]), []).append(v)
    order, stack = [], list(children.get(0, []))
    while stack:
        v = stack.pop()
        order.append(v)
        stack += children.get(v, [])
    return order


def _grid(axes: Axes, trace: Trace, victims: Sequence[Sequence[int]], costs: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    rows = rows_of(trace.tree)
    cached: set[int] = set()
    for t, v in enumerate(trace.requests.tolist()):
        path = set(trace.tree.path(v))
        missed = path - cached
        cached = (cached | path) - set(victims[t])
        for y, u in enumerate(rows):
            colour = CACHED if u in cached else "white"
            axes.add_patch(
                Rectangle((t - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="0.85", linewidth=0.6)
            )
            if u in missed:
                axes.plot(t, y, marker="x", color=MISSED, markersize=6, markeredgewidth=1.8)
        for u in path:
            y = rows.index(u)
            axes.add_patch(
                Rectangle((t - 0.42, y - 0.42), 0.84, 0.84, fill=False, edgecolor=PATH, linewidth=1.2)
            )
    axes.set_xlim(-0.5, len(trace) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(
        range(len(trace)), [f"{v}\n{c}" for v, c in zip(trace.requests.tolist(), costs, strict=True)]
    )
    axes.set_yticks(range(len(rows)), ["· " * (int(trace.tree.depth[u]) - 1) + str(u) for u in rows])
    axes.set_xlabel("request, and its cost below")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
