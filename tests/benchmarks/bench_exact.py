"""Exact ratios: product states a second, and the largest instance in 60 seconds, against a plain search.

    python tests/benchmarks/bench_exact.py [SECONDS]

The plain search is the same search written down directly: dictionaries of tuples, policies by hand, each step
of a work function remembered, cycles by Bellman-Ford in Python. Both answer with the same ratio. Stars have
k+1 leaves and are the most symmetric trees; combs have no symmetry at all. A state is a pair of policy state
(or distribution) and work function on the concrete tree; with symmetry, we visit fewer than we answer for.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from outcome import Figure, arguments, less, machine, write
from rich.console import Console
from rich.table import Table

from kvtheory.errors import KVTheoryError
from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree

PATIENCE = 60
FAMILIES: dict[str, Callable[[int], tuple[str, int]]] = {
    "star": lambda k: (f"star:{k + 1}", k),
    "comb": lambda k: (f"comb:{k - 1}", k),
}
BUDGET = 3_000_000
MEASURED = ("comb:6", 7)
Found = tuple[Fraction, int]


class PlainOpt:
    """Work functions as tuples over closed sets, by the definition."""

    def __init__(self, game: Instance) -> None:
        self.sets = [frozenset(game.nodes(mask)) for mask in game.closed.tolist()]
        self.path = {v: frozenset(game.tree.path(v)) for v in game.requestable}
        self.start = tuple(len(s) for s in self.sets)
        self.known: dict[Any, Any] = {}

    def serve(self, w: tuple[int, ...], v: int) -> tuple[int, tuple[int, ...]]:
        if (w, v) not in self.known:
            path = self.path[v]
            holding = [(x, value) for x, value in zip(self.sets, w, strict=True) if path <= x]
            after = [min(value + len(s - x) for x, value in holding) for s in self.sets]
            least = min(after)
            self.known[w, v] = least, tuple(value - least for value in after)
        return self.known[w, v]


def plain_lru(game: Instance) -> tuple[Any, Callable[[Any, int], tuple[Any, Any]]]:
    """A state is the tuple of (node, rank of its last use)."""
    parent = game.parents

    def serve(state: Any, v: int) -> tuple[int, Any]:
        used = dict(state)
        path = game.tree.path(v)
        misses = sum(u not in used for u in path)
        for u in path:
            used[u] = len(state) + 1
        while len(used) > game.capacity:
            inner = {parent[u] for u in used}
            del used[min((u for u in used if u not in inner and u != v), key=lambda u: (used[u], -u))]
        rank = {stamp: i for i, stamp in enumerate(sorted(set(used.values())), 1)}
        return misses, tuple(sorted((u, rank[stamp]) for u, stamp in used.items()))

    return (), serve


def plain_rlt(game: Instance) -> tuple[Any, Callable[[Any, int], tuple[Any, Any]]]:
    """A state is the marks and the tuple of (cached set, chance)."""
    parent = game.parents

    def serve(state: Any, v: int) -> tuple[Fraction, Any]:
        marks, belief = state
        path = frozenset(game.tree.path(v))
        marks = frozenset(marks) | path
        marks = marks if len(marks) <= game.capacity else path
        misses, after = Fraction(0), dict[frozenset[int], Fraction]()
        for cached, chance in belief:
            misses += chance * len(path - frozenset(cached))
            now = {frozenset(cached) | path: chance}
            while any(len(held) > game.capacity for held in now):
                fewer: dict[frozenset[int], Fraction] = {}
                for held, p in now.items():
                    inner = {parent[u] for u in held}
                    free = [u for u in held if u not in inner and u not in marks]
                    for u in free:
                        fewer[held - {u}] = fewer.get(held - {u}, Fraction(0)) + p / len(free)
                now = fewer
            for held, p in now.items():
                after[held] = after.get(held, Fraction(0)) + p
        return misses, (tuple(sorted(marks)), tuple(sorted((tuple(sorted(h)), p) for h, p in after.items())))

    return ((), (((), Fraction(1)),)), serve


PLAIN = {"lru": plain_lru, "rlt": plain_rlt}


def plain_search(game: Instance, policy: str) -> Found:
    """Ratio and number of states, with dictionaries of tuples."""
    opt = PlainOpt(game)
    start, serve = PLAIN[policy](game)
    number: dict[Any, int] = {(start, opt.start): 0}
    order = [(start, opt.start)]
    edges: list[list[tuple[int, Any, int]]] = []
    deadline = time.process_time() + PATIENCE
    for state, w in order:
        if time.process_time() > deadline:
            raise TimeoutError(f"takes longer than {PATIENCE} s")
        row = []
        for v in game.requestable:
            cost, after = serve(state, v)
            increase, w_after = opt.serve(w, v)
            pair = after, w_after
            if pair not in number:
                number[pair] = len(order)
                order.append(pair)
            row.append((number[pair], cost, increase))
        edges.append(row)
    ratio = Fraction(1)
    while (better := positive_cycle(edges, ratio)) is not None:
        ratio = better
    return ratio, len(order)


def positive_cycle(edges: list[list[tuple[int, Any, int]]], ratio: Fraction) -> Fraction | None:
    """The ratio of a cycle that is larger than `ratio`, if there is one."""
    p, q = ratio.numerator, ratio.denominator
    potential: list[Any] = [0] * len(edges)
    choice: list[tuple[int, Any, int] | None] = [None] * len(edges)
    while True:
        changed = False
        for s in range(len(edges) - 1, -1, -1):
            for edge in edges[s]:
                value = q * edge[1] - p * edge[2] + potential[edge[0]]
                if value > potential[s]:
                    potential[s], choice[s], changed = value, edge, True
        if not changed:
            return None
        seen = [-1] * len(edges)
        for start in range(len(edges)):
            at = start
            while seen[at] < 0 and (edge := choice[at]) is not None:
                seen[at] = start
                at = edge[0]
            if seen[at] == start and choice[at] is not None:
                paid, owed, end = Fraction(0), 0, at
                while True:
                    edge = choice[at]
                    assert edge is not None
                    paid, owed, at = paid + edge[1], owed + edge[2], edge[0]
                    if at == end:
                        return paid / owed


def ours(game: Instance, policy: str, *, symmetric: bool = True) -> Found:
    """Ratio and number of concrete states."""
    solved = play(game, policies()[policy], symmetric=symmetric, budget=BUDGET, convexity=False)
    result = solved.result()
    if result.ratio is None or not solved.complete:
        raise TimeoutError("does not close within the budget")
    return result.ratio, result.states or BUDGET  # at least: the game closed, its concrete states were cut


def without_symmetry(game: Instance, policy: str) -> Found:
    """The same, every concrete state visited."""
    return ours(game, policy, symmetric=False)


SEARCHES: dict[str, Callable[[Instance, str], Found]] = {
    "kvtheory": ours,
    "kvtheory, symmetry off": without_symmetry,
    "plain search": plain_search,
}


def sizes(family: str, policy: str, search: Callable[[Instance, str], Found], limit: float) -> Iterator[Any]:
    """(k, nodes, seconds, states, ratio) while an instance takes less than `limit` and the next may too."""
    for k in range(2 if family == "star" else 3, 60):
        tree, capacity = FAMILIES[family](k)
        try:
            game = Instance.of(parse_tree(tree), capacity)
            start = time.perf_counter()
            ratio, states = search(game, policy)
        except (KVTheoryError, TimeoutError) as error:
            print(f"    {tree}, k={capacity}: {error}", file=sys.stderr)
            return
        seconds = time.perf_counter() - start
        if seconds > limit:
            return
        yield k, game.tree.n, seconds, states, ratio
        if seconds * (15 if search is plain_search else 8) > limit:  # the next would take longer
            return


def memory_per_state(policy: str) -> tuple[int, float, float]:
    """Concrete states, and bytes each in ours (symmetry off, so that all are kept) and in the plain search.

    Each is the growth of the peak of a process of its own, after a small instance has loaded what it loads.
    """
    found = []
    for name in ("kvtheory, symmetry off", "plain search"):
        command = [sys.executable, __file__, "--memory", policy, name]
        for _ in range(2):  # the first may have compiled, and the compiler's memory is no state's
            states, grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        found.append(int(grown) / int(states))
    return int(states), found[0], found[1]


def grow(policy: str, search: str) -> None:
    """Print the states of the measured instance and by how many bytes the peak grew."""
    SEARCHES[search](Instance.of(parse_tree("comb:4"), 5), policy)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, states = SEARCHES[search](Instance.of(parse_tree(MEASURED[0]), MEASURED[1]), policy)
    print(states, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def figures(found: dict[str, Any]) -> list[Figure]:
    """Seconds on the largest instance that both finish, and bytes a state."""
    plain = {(row["policy"], row["trees"]): row["common_seconds"] for row in found["rows"]
             if row["search"] == "plain search"}  # fmt: skip
    rows = [
        less(
            f"{row['policy']}, {row['trees']}, k={row['common_capacity']}"
            + row["search"].removeprefix("kvtheory"),
            "s",
            row["common_seconds"],
            "the plain search",
            plain[row["policy"], row["trees"]],
        )
        for row in found["rows"]
        if row["search"] != "plain search"
    ]
    return rows + [
        less(f"{policy}, {MEASURED[0]}, k={MEASURED[1]}", "bytes/state", ours, "the plain search", theirs)
        for policy, (_, ours, theirs) in found["memory"].items()
    ]


def main() -> int:
    """Measure, print, and write results/exact.json."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    options = parser.parse_args()
    limit = options.seconds
    memory = {name: memory_per_state(name) for name in PLAIN}  # first: a child inherits its parent's peak
    for policy in PLAIN:  # load compiled code
        for symmetric in (True, False):
            ours(Instance.of(parse_tree("star:7"), 6), policy, symmetric=symmetric)
    screen = Console(highlight=False, width=120)
    table = Table(title=f"exact ratios in at most {limit:g} s", box=None, header_style="bold")
    for column in (
        "policy",
        "trees",
        "search",
        "largest",
        "states",
        "seconds",
        "states/s",
        "states/s at equal size",
    ):
        table.add_column(column, justify="left" if column in ("policy", "trees", "search") else "right")
    rows, speedups, equal = [], {}, True
    for policy in PLAIN:
        for family in FAMILIES:
            runs = {name: list(sizes(family, policy, search, limit)) for name, search in SEARCHES.items()}
            common = min(len(run) for run in runs.values()) - 1
            for name, run in runs.items():
                k, nodes, seconds, states, _ = run[-1]
                speed = run[common][3] / run[common][2]
                size = f"n={nodes}, k={k}"
                table.add_row(
                    policy,
                    family,
                    name,
                    size,
                    f"{states:,}",
                    f"{seconds:.2f}",
                    f"{states / seconds:,.0f}",
                    f"{speed:,.0f}",
                )
                rows.append(
                    {
                        "policy": policy,
                        "trees": family,
                        "search": name,
                        "nodes": nodes,
                        "capacity": k,
                        "states": states,
                        "seconds": seconds,
                        "common_capacity": run[common][0],
                        "common_seconds": run[common][2],
                    }
                )
                equal &= all(a[3:] == b[3:] for a, b in zip(run, runs["plain search"], strict=False))
            times = {name: run[common][2] for name, run in runs.items()}
            for name in list(SEARCHES)[:2]:
                speedups[f"{policy}, {family}, k={runs[name][common][0]}: {name}"] = (
                    times["plain search"] / times[name]
                )
    screen.print(table)
    for label, value in speedups.items():
        screen.print(f"{label:<60} {value:8.1f}x the plain search   (asked: 30x)")
    screen.print(f"ratios and states {'equal' if equal else 'DIFFERENT'}")
    for name, (states, ours_bytes, plain_bytes) in memory.items():
        screen.print(
            f"{name}, {MEASURED[0]}, k={MEASURED[1]}: {states:,} states, {ours_bytes:,.0f} bytes each; "
            f"the plain search {plain_bytes:,.0f}"
        )
    content = {
        "machine": machine(),
        "limit_s": limit,
        "rows": rows,
        "speedups": speedups,
        "equal": equal,
        "memory": memory,
    }
    write(options.out, content | {"figures": figures(content)})
    return 0 if equal else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        sys.exit(grow(*sys.argv[2:]))
    sys.exit(main())
