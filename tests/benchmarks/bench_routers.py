"""What a decision costs, router by router, against round robin in the same run.

    python tests/benchmarks/bench_routers.py [REQUESTS]

Each router sees the same requests, paths of 24 blocks of which some are shared, at 4, 16, 64 and 256 workers.
Timed are its own methods, `choose` to `on_finish`, at a steady eight requests outstanding per worker;
the simulator is left out. Time is the thread's own; rounds take turns, and the median of three counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from outcome import Figure, arguments, less, machine, write
from rich.console import Console
from rich.table import Table

from kvtheory.engine.fleet import PrefixIndex
from kvtheory.model import PrefixTree
from kvtheory.registry import select_routers
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, View

WORKERS, ROUNDS, DEPTH, HEADS, FLYING, CAPACITY = (4, 16, 64, 256), 3, 24, 200, 8, 600


def prompts(count: int) -> tuple[PrefixTree, list[int]]:
    """Conversations of 24 blocks, the first 16 shared by all that have the same head."""
    parents: list[int] = []
    heads = []
    for _ in range(HEADS):
        parents.append(0)
        parents += range(len(parents), len(parents) + 15)
        heads.append(len(parents))
    dice, tips = SplitMix64(1), []
    for _ in range(count):
        parents.append(heads[dice.below(HEADS)])
        parents += range(len(parents), len(parents) + 7)
        tips.append(len(parents))
    return PrefixTree.from_parents(parents), tips


def seconds(make: object, tree: PrefixTree, tips: list[int], workers: int) -> float:
    """Of one router's methods, a request."""
    above = tree.depth.astype(np.int64)
    view = View(tree, workers, CAPACITY, above)
    router = make(view)  # type: ignore[operator]
    truth = PrefixIndex(tree, workers)
    work = np.zeros(workers)
    if router.omniscient:
        view.truth = SimpleNamespace(
            match=truth.match,
            backlog=lambda now: work,
            costs_of=lambda request: above[tips[request]] - above[truth.match(tips[request])] + 0.0,
        )
    flying: list[tuple[int, int]] = []
    spent = 0.0
    for request, tip in enumerate(tips):
        arrival = Arrival(request, tip, DEPTH, request % 97, float(request))
        start = time.thread_time()
        worker = router.choose(arrival)
        router.on_dispatch(arrival, worker)
        spent += time.thread_time() - start
        truth.serve(worker, tip)
        work[worker] += DEPTH
        flying.append((request, worker))
        if len(flying) > FLYING * workers:
            done, by = flying.pop(0)
            work[by] -= DEPTH
            start = time.thread_time()
            if router.watches_first_tokens:
                router.on_first_token(done, by, float(request))
            router.on_finish(Completion(done, by, float(request), 50.0, 20.0, 0))
            spent += time.thread_time() - start
    return spent / len(tips)


def figures(found: dict[str, Any]) -> list[Figure]:
    """Every router at 64 workers."""
    times = {row["router"]: row["us"]["64"] for row in found["rows"]}
    base = times.pop("round_robin")
    return [less(f"{name}, 64 workers", "us/request", us, "round_robin", base) for name, us in times.items()]


def main() -> int:
    """Print microseconds a request and the ratio to round robin, and write results/routers.json."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("requests", type=int, nargs="?", default=4000)
    options = parser.parse_args()
    tree, tips = prompts(options.requests)
    chosen = select_routers("all")
    table = Table(box=None, header_style="bold")
    for column in ("router", *(f"{workers} workers" for workers in WORKERS)):
        table.add_column(column, justify="left" if column == "router" else "right")
    found: dict[tuple[str, int], float] = {}
    for workers in WORKERS:
        for _, make, _ in chosen:
            seconds(make, tree, tips[:50], workers)
        rounds = [
            {label: seconds(make, tree, tips, workers) for label, make, _ in chosen} for _ in range(ROUNDS)
        ]
        for label, _, _ in chosen:
            found[label, workers] = statistics.median(times[label] for times in rounds)
    for label, _, _ in chosen:
        cells = [
            f"{found[label, w] * 1e6:.1f} us ({found[label, w] / found['round_robin', w]:.1f}x)"
            for w in WORKERS
        ]
        table.add_row(label, *cells)
    Console(width=110).print(table)
    rows = [
        {"router": label, "us": {str(w): found[label, w] * 1e6 for w in WORKERS}} for label, _, _ in chosen
    ]
    content = {"machine": machine(), "requests": options.requests, "rows": rows}
    write(options.out, content | {"figures": figures(content)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
