"""Every router on the second half of a trace at 70 % load, and makespans on GSP; rows are added to a file.

    python tests/benchmarks/table_routers.py conversation.jsonl docs/_static/routers/study.jsonl

Rows that the file has are not run again; a third word, `gsp` or `conversation`, runs only these. Load 1 is
the speed of the trace at which the workers are just busy enough for the second half's work, as one leaf-LRU
cache of all their memory would leave it; arrivals keep the trace's order, each spread by the seed over the
3 s in which the trace's clock counts.
"""

import json
import sys
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from adversaries.gsp import gsp
from kvtheory.engine.arrivals import arrival_times
from kvtheory.engine.cluster import simulate
from kvtheory.engine.fleet import Caches
from kvtheory.engine.presets import find_preset, preset_costs
from kvtheory.engine.workers import Rates
from kvtheory.policies.lru import LeafLRU
from kvtheory.registry import policies, select_routers
from kvtheory.sources import open_source

LOAD, BIN, SEEDS = 0.7, 3.0, range(5)
OURS = "earliest_first_token"
CASES = [  # preset, policy, routers
    ("llama8b_l40", "rlt", f"{OURS},lbgr"),
    ("llama8b_l40", "lru", f"{OURS},lbgr"),
    ("llama8b_h100", "rlt", f"{OURS},lbgr"),
    ("llama70b_h200", "rlt", f"{OURS},lbgr"),
    ("llama8b_l40", "rlt", "lbgr:decay=off:index=believed,dynamo,lmetric,jsq,greedy,llmd,preble"),
    ("llama8b_l40", "rlt", "all"),
]
WORKERS = (4, 16, 64)
GSP = list(product(("rlt", "lru"), ("random", "grouped", "round_robin"), ("zero", "poisson:12")))


def speed_of(trace, workers, preset):
    """How much faster than it was recorded the trace is played."""
    nodes = find_preset(preset).kv_tokens // trace.block_tokens
    served, _ = trace.cut(nodes)
    cache = Caches(trace.tree, 1, workers * nodes, LeafLRU)
    above = trace.tree.path_sums(trace.tree.tokens)
    hit = above[[cache.serve(0, v) for v in served.requests.tolist()]]
    length, half = above[trace.requests], len(trace) // 2
    rates = Rates.of(preset_costs(preset))
    work = rates.prefill(hit, length) + rates.answer(trace.columns["output_length"], length)
    stamps = trace.columns["timestamp"]
    return LOAD * workers * float(stamps[-1] - stamps[half]) / float(work[half:].sum())


def spread(trace, seed):
    """Times of arrival: each group of equal times is spread over the 3 s that it stands for, in order."""
    stamps = np.round(arrival_times(trace, "trace") / BIN) * BIN
    within = np.random.default_rng(seed).uniform(0.0, BIN, len(trace))
    return np.sort(stamps + within)


def measured(run, half):
    """What a row holds, of the requests from `half` on; loads and makespan of all of them."""
    ttft = run.ttft[half:]
    p50, p95, p99 = np.quantile(ttft, (0.5, 0.95, 0.99)).tolist()
    return {
        "mean_ttft_s": float(ttft.mean()),
        "p50_ttft_s": p50,
        "p95_ttft_s": p95,
        "p99_ttft_s": p99,
        "hit_rate": int(run.hit[half:].sum()) / int(run.length[half:].sum()),
        "makespan": float(run.makespan),
        "balance": run.balance,
        "finish_s": run.finish_time,
    }


def serve(trace, workers, preset, policy, maker, arrivals, seed, half=0):
    """One run."""
    nodes = find_preset(preset).kv_tokens // trace.block_tokens
    options = {"costs": preset_costs(preset), "unit": "tokens", "seconds": True, "seed": seed}
    run = simulate(trace, workers, nodes, policies()[policy], maker, arrivals=arrivals, **options)
    return measured(run, half)


def serve_gsp(order, arrivals, policy, maker, seed):
    """One run of generated shared prefixes."""
    trace = gsp(order=order, block=16, seed=seed)
    return serve(trace, 4, "llama8b_l40", policy, maker, arrival_times(trace, arrivals, seed), seed)


def rows_of(source):
    """Every row: what names it, and how it is run; without a trace those of GSP alone."""
    for (policy, order, arrivals), seed in product(GSP, SEEDS):
        for label, maker, _ in select_routers(f"{OURS},lbgr"):
            name = {"trace": f"gsp {order} {arrivals}", "preset": "llama8b_l40", "workers": 4}
            run = partial(serve_gsp, order, arrivals, policy, maker, seed)
            yield name | {"policy": policy, "router": label, "seed": seed}, run
    if not source:
        return
    trace, speeds = open_source(source), {}
    for (preset, policy, routers), workers in product(CASES, WORKERS):
        if (workers, preset) not in speeds:
            speeds[workers, preset] = speed_of(trace, workers, preset)
        speed = speeds[workers, preset]
        for (label, maker, _), seed in product(select_routers(routers), SEEDS):
            name = {"trace": "conversation", "preset": preset, "workers": workers, "policy": policy}
            times, half = spread(trace, seed) / speed, len(trace) // 2
            run = partial(serve, trace, workers, preset, policy, maker, times, seed, half)
            yield name | {"router": label, "seed": seed, "speed": round(speed, 4)}, run


def main(source, target, only=""):
    """Run what is missing."""
    file = Path(target)
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    keys = ("trace", "preset", "workers", "policy", "router", "seed")
    known = {tuple(row[key] for key in keys) for row in map(json.loads, lines)}
    with file.open("a", encoding="utf-8") as out:
        for name, run in rows_of(source):
            key = tuple(name[k] for k in keys)
            if key not in known and name["trace"].startswith(only):
                known.add(key)
                out.write(json.dumps(name | run()) + "\n")
                out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
