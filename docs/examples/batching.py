"""Two kinds of workers on one workload: four of them, requests by the group, costs in milliseconds."""

import numpy as np

from kvtheory.engine.arrivals import arrival_times
from kvtheory.engine.batching import Batching
from kvtheory.engine.cluster import simulate
from kvtheory.model import CostModel
from kvtheory.registry import policies
from kvtheory.routers.lbgr import LBGR
from kvtheory.sources import generate

PREFILL, STEP, DECODE = 0.05, 10.0, 0.2  # of a missed token; of a step; of a token in it
trace = generate("gsp:groups=48,prompts=24,block=256,order=random,seed=1")
answers = np.random.default_rng(0).integers(50, 350, len(trace))
trace.columns["output_length"] = answers
arrivals = arrival_times(trace, "poisson:0.012", seed=2)


def show(label: str, decode: float, batching: Batching | None) -> None:
    run = simulate(
        trace,
        4,
        400,
        policies()["lru"],
        LBGR,
        costs=CostModel(alpha_miss=PREFILL, decode=decode),
        arrivals=arrivals,
        unit="tokens",
        batching=batching,
    )
    between = (run.finish - run.first) / (answers - 1)
    print(
        f"{label:34}{run.hit_rate:6.1%}{run.ttft.mean():9.0f}{np.quantile(run.ttft, 0.95):9.0f}"
        f"{between.mean():8.1f}{np.quantile(between, 0.95):7.1f}{run.finish_time / 1000:8.0f}"
    )


print("milliseconds (the end in seconds)    hits     TTFT      p95  a token    p95     end")
show("one at a time, token = step", STEP + DECODE, None)
show("one at a time, token = share", DECODE, None)
for together, budget in ((1, None), (8, None), (64, None), (64, 2048), (64, 256)):
    name = f"batches of {together}, " + (f"{budget} tokens a step" if budget else "no budget")
    show(name, DECODE, Batching(together, budget, STEP))
