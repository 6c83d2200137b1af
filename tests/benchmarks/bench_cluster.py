"""One million requests through 64 workers, and what a decision costs as workers are added.

    python tests/benchmarks/bench_cluster.py [--requests 1000000] [--routers round_robin,lbgr]

Each run is a process of its own, so that its memory is its own. Times are of `simulate` alone, after a
warm-up that compiles; every figure stands beside round robin's in the same run.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

from outcome import Figure, arguments, less, machine, write

SHAPE = (
    "chat:sessions={sessions},turns=5,message=48,reply=96,systems=64,system=256,block=16,rate={rate},seed=1"
)


def measure(requests: int, workers: int, router: str, capacity: int) -> dict[str, float]:
    """One run in this process: seconds, microseconds a request, peak memory."""
    from kvtheory.engine.arrivals import arrival_times
    from kvtheory.engine.cluster import simulate
    from kvtheory.engine.presets import preset_costs
    from kvtheory.policies.lru import LeafLRU
    from kvtheory.registry import parse_router
    from kvtheory.sources import generate

    _, make, _ = parse_router(router)
    costs = preset_costs("llama8b_h100")
    started = time.perf_counter()
    trace = generate(SHAPE.format(sessions=requests // 4, rate=workers * 2))
    made = time.perf_counter() - started
    trace = type(trace)(
        trace.tree,
        trace.requests[:requests],
        trace.block_tokens,
        columns={name: column[:requests] for name, column in trace.columns.items()},
    )
    options = {"costs": costs, "unit": "tokens", "seconds": True}
    small = generate(SHAPE.format(sessions=20, rate=1))
    simulate(small, workers, capacity, LeafLRU, make, **options)
    arrivals = arrival_times(trace, "trace")
    started = time.perf_counter()
    run = simulate(trace, workers, capacity, LeafLRU, make, arrivals=arrivals, **options)
    seconds = time.perf_counter() - started
    return {
        "requests": len(trace),
        "mean_path": float(trace.depths.mean()),
        "nodes": trace.tree.n,
        "workers": workers,
        "seconds": seconds,
        "us_per_request": 1e6 * seconds / len(trace),
        "hit_rate": run.hit_rate or 0.0,
        "generation_s": made,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def figures(found: dict[str, Any]) -> list[Figure]:
    """Every router but the first, against the first."""
    rows = []
    for row in found["runs"]:
        if row["router"] == found["runs"][0]["router"]:
            base = row
        else:
            quantity = f"{row['router']}, {row['requests']:,} requests, {row['workers']} workers"
            rows.append(
                less(quantity, "us/request", row["us_per_request"], base["router"], base["us_per_request"])
            )
    return rows


def main() -> None:
    """Run every size in its own process, print the table, and write results/cluster.json."""
    options = arguments(__doc__, __file__)
    options.add_argument("--requests", type=int, default=1_000_000)
    options.add_argument("--routers", default="round_robin,lbgr")
    options.add_argument("--capacity", type=int, default=2000)
    options.add_argument("--one", help="requests,workers,router,capacity: that run alone, as JSON")
    given = options.parse_args()
    if given.one:
        requests, workers, router, capacity = given.one.split(",")
        print(json.dumps(measure(int(requests), int(workers), router, int(capacity))))
        return
    rows = []
    sizes = [(given.requests, 64)] + [(given.requests // 5, workers) for workers in (4, 16, 64, 256)]
    print("requests   workers router        seconds  us/request  to round_robin  peak GB")
    for requests, workers in sizes:
        first = 0.0
        for router in given.routers.split(","):
            one = f"{requests},{workers},{router},{given.capacity}"
            command = [sys.executable, __file__, "--one", one]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            first = first or row["us_per_request"]
            rows.append({"router": router, **row, "to_first": row["us_per_request"] / first})
            took, ratio = row["us_per_request"], row["us_per_request"] / first
            print(
                f"{row['requests']:>9,} {workers:>8} {router:<12} {row['seconds']:>8.1f} {took:>11.1f} "
                f"{ratio:>15.2f} {row['peak_gb']:>8.2f}",
                flush=True,
            )
    found = {"machine": machine(), "runs": rows}
    write(given.out, found | {"figures": figures(found)})


if __name__ == "__main__":
    main()
