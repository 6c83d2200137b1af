"""Draws, for every family that traps routers, a router beside an optimal routing, and the small cases found.

python docs/figures/routing_traps.py FOLDER
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib as mpl

from adversaries.routing_forces import belady_hits, routed, routing_statements
from kvtheory.engine.cluster import ClusterRun, simulate
from kvtheory.model import CostModel, Trace
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.policies.lru import LeafLRU
from kvtheory.registry import routers
from kvtheory.report.timelines import Routed, draw_timelines
from kvtheory.sources import generate

FAMILIES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "affinity_once": (
        *("longest_prefix", "affinity_trap", "prompts"),
        {"prompts": 9, "prefix": 2, "suffix": 1, "rounds": 1, "workers": 3, "hit": 1, "miss": 2},
    ),
    "affinity_again": (
        *("longest_prefix", "affinity_trap", "rounds"),
        {"prompts": 3, "prefix": 1, "suffix": 3, "rounds": 4, "hit": 1, "miss": 4},
    ),
    "balance": (
        *("round_robin", "balance_trap", "rounds"),
        {"workers": 2, "blocks": 1, "rounds": 4, "hit": 1, "miss": 4},
    ),
    "balance_greedy": (
        *("greedy", "balance_trap", "rounds"),
        {"workers": 3, "blocks": 1, "rounds": 2, "hit": 1, "miss": 6},
    ),
    "stride": (
        *("least_outstanding", "stride_trap", "rounds"),
        {"workers": 3, "blocks": 4, "rounds": 2, "hit": 1, "miss": 4},
    ),
    "greedy": (*("greedy", "greedy_trap", "miss"), {"workers": 3, "blocks": 1, "hit": 1, "miss": 20}),
    "adaptive": (*("greedy", "adaptive_routing", "requests"), {"workers": 3, "k": 2, "requests": 36}),
}
"""Router, family, what makes it longer, parameters and setting."""

FOUND = {
    "found_affinity": ("longest_prefix", (0, 1, 2, 1), (2, 3, 1, 3), 3, 4, CostModel(1, 1)),
    "found_greedy": ("greedy", (0, 0, 2, 1, 2), (4, 4, 2, 2, 5), 2, 5, CostModel(1, 20)),
    "found_greedy_finite": ("greedy", (0, 0, 2, 0, 3, 1), (6, 1, 5, 3, 4, 6, 1, 5), 2, 3, CostModel(0, 1)),
}
"""Router, parents of nodes 1, 2, .., requests, workers, capacity, costs."""


def letters(trace: Trace) -> list[str]:
    """A letter for each prompt, in order of appearance."""
    names: dict[int, str] = {}
    return [names.setdefault(v, chr(ord("A") + len(names))) for v in trace.requests.tolist()]


def drawn(name: str, run: ClusterRun) -> Routed:
    """What the cluster did."""
    return Routed(name, run.worker.tolist(), run.hit.tolist(), run.length.tolist())


def main(folder: Path) -> None:
    """One picture per family, one per case found."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    for name, (router, family, longer, case) in FAMILIES.items():
        statement = next(
            s
            for s in routing_statements()
            if s.name == family and s.longer == longer and routers()[router] in s.victims()
        )
        trace, forced = generate(statement.spec(**case)), statement.at(**case)
        run, best = routed(trace, forced, routers()[router]), statement.best(trace, forced)
        hits = belady_hits(trace, best, forced.capacity)
        other = "optimum" if statement.opt_is == "==" else "offline schedule"
        players = [drawn(router, run), Routed(other, best, hits.tolist(), trace.depths.tolist())]
        figure = draw_timelines(players, forced.workers, forced.costs, letters(trace))
        figure.savefig(folder / f"routing_{name}.svg", metadata={"Date": None})
    for name, (router, parents, requests, workers, capacity, costs) in FOUND.items():
        trace = Trace.from_parents(parents, requests)
        run = simulate(trace, workers, capacity, LeafLRU, routers()[router], costs=costs)
        prices = {"alpha_cached": Fraction(costs.alpha_cached), "alpha_miss": Fraction(costs.alpha_miss)}
        best = solve_routing(trace, workers, capacity, method="search", **prices).workers
        hits = belady_hits(trace, best, capacity)
        players = [drawn(router, run), Routed("optimum", best, hits.tolist(), trace.depths.tolist())]
        figure = draw_timelines(players, workers, costs, [str(v) for v in requests])
        figure.savefig(folder / f"routing_{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
