"""What each signal tells of a node's return on a real trace, and how much of the gap the policy closes.

python tests/benchmarks/table_prize.py TRACE FOLDER writes signals.txt and results.txt there, in some minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.hedged_odds import HedgedOdds
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.return_odds import ABOVE_TIP, FRESH, GAP, LENGTH, ReturnOdds
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.traces import read_trace

Longs = npt.NDArray[np.int64]
PERCENT = (1, 3, 10)
OUTPUT = (2, 10, 50, 100, 200, 300, 400, 500, 700, 1000)
NEVER = 1 << 40


def capacities(trace: Trace) -> list[int]:
    """x % of the nodes."""
    return [max(1, trace.tree.n * x // 100) for x in PERCENT]


class Accesses:
    """Every node of every path, in the order of requests, root to tip.

    Attributes:
        node, request: int64, shape (accesses,).
        start: int64, shape (N+1,): where each request's accesses begin.
        gap: requests until the node is asked for again; NEVER if it is not.
        signals: by name, the bucket of each access.
    """

    def __init__(self, trace: Trace) -> None:
        length = trace.depths.astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(length)])
        self.node = np.concatenate([trace.tree.path(int(v)) for v in trace.requests]).astype(np.int64)
        self.request = np.repeat(np.arange(len(trace)), length)
        depth = trace.tree.depth[self.node].astype(np.int64)
        order = np.lexsort((self.request, self.node))
        same = np.append(self.node[order][1:] == self.node[order][:-1], False)
        wait = np.append(np.diff(self.request[order]), 0)
        self.gap = np.empty(order.size, np.int64)
        self.gap[order] = np.where(same, wait, NEVER)
        before, nth = np.full(order.size, NEVER), np.zeros(order.size, np.int64)
        before[order[1:]] = np.where(same[:-1], wait[:-1], NEVER)
        firsts = np.flatnonzero(np.append(True, ~same[:-1]))
        nth[order] = np.arange(order.size) - np.repeat(firsts, np.diff(np.append(firsts, order.size)))
        known = np.add.reduceat(np.append(nth > 0, False), self.start[:-1])
        tip = length[self.request] - depth
        last = trace.tree.tokens[trace.requests]
        turn = turns(self.node, self.start, known)
        self.signals: dict[str, Longs] = {
            "none (age alone)": np.zeros(order.size, np.int64),
            "times requested": np.minimum(nth, 11),
            "turn of the conversation": np.minimum(turn, 10)[self.request],
            "time since last requested": np.searchsorted(GAP, before, "right"),
            "new part of the prompt": np.searchsorted(FRESH, 1 - known / length, "right")[self.request],
            "length of the prompt": np.searchsorted(LENGTH, length, "right")[self.request],
            "depth": np.searchsorted(ABOVE_TIP, depth, "right"),
            "distance from the tip": np.searchsorted(ABOVE_TIP, tip, "right"),
            "tip or not (partial block)": (tip == 0).astype(np.int64),
            "tokens in the last block": (last // 32)[self.request].astype(np.int64),
            "length of the answer": np.searchsorted(OUTPUT, trace.columns["output_length"], "right")[
                self.request
            ],
            "whether it returns at all": (self.gap < NEVER).astype(np.int64),
        }


def turns(node: Longs, start: Longs, known: Longs) -> Longs:
    """The turn of each request: one more than the request's whose path it contains but for the last node."""
    latest: dict[int, int] = {}
    turn = np.zeros(start.size - 1, np.int64)
    for t in range(turn.size):
        path = node[start[t] : start[t + 1]].tolist()
        if known[t] > 1:
            then = latest[path[known[t] - 1]]
            if known[t] >= start[then + 1] - start[then] - 1:
                turn[t] = turn[then] + 1
        latest.update(dict.fromkeys(path, t))
    return turn


def log_odds(bucket: Longs, accesses: Accesses, first: int, last: int) -> npt.NDArray[np.float64]:
    """Log-odds of a return within the horizon, by bucket, from the requests first..last-1 alone."""
    horizon = ReturnOdds.HORIZON
    told = (accesses.request >= first) & (accesses.request < last - horizon)
    size = int(bucket.max()) + 1
    back = np.bincount(bucket[told & (accesses.gap <= horizon)], minlength=size) + 1.0
    return np.log(back / (np.bincount(bucket[told], minlength=size) + 2.0 - back))


@njit
def hits_by_odds(
    parent: npt.NDArray[np.int32],
    start: Longs,
    node: Longs,
    score: npt.NDArray[np.float64],
    age: npt.NDArray[np.float64],
    capacity: int,
) -> Longs:
    """Hits of each request when the leaf with the least `score - age` goes; paths are cut at the capacity."""
    children = np.full(parent.size, -1, np.int64)
    value, last = np.zeros(parent.size), np.zeros(parent.size, np.int64)
    leaves, place = np.empty(parent.size, np.int64), np.full(parent.size, -1, np.int64)
    hits = np.zeros(start.size - 1, np.int64)
    size, count = 0, 0
    children[0] = 0
    for t in range(start.size - 1):
        end = min(start[t + 1], start[t] + capacity)
        for j in range(start[t], end):
            v = node[j]
            if children[v] < 0:
                children[v] = 0
                children[parent[v]] += 1
                size += 1
            else:
                hits[t] += 1
            if place[v] >= 0:
                count -= 1
                leaves[place[v]] = leaves[count]
                place[leaves[count]] = place[v]
                place[v] = -1
            value[v], last[v] = score[j], t
        tip = node[end - 1]
        while size > capacity:
            worst = leaves[0]
            for i in range(1, count):
                v = leaves[i]
                if value[v] - age[t - last[v]] < value[worst] - age[t - last[worst]]:
                    worst = v
            count -= 1
            leaves[place[worst]] = leaves[count]
            place[leaves[count]] = place[worst]
            place[worst] = -1
            children[worst] = -1
            size -= 1
            u = parent[worst]
            children[u] -= 1
            if u > 0 and u != tip and children[u] == 0:
                leaves[count], place[u] = u, count
                count += 1
        if children[tip] == 0:
            leaves[count], place[tip] = tip, count
            count += 1
    return hits


def signals(trace: Trace) -> str:
    """The table of signals: share of the gap closed in the second half, in percent."""
    accesses, half = Accesses(trace), len(trace) // 2
    age = np.maximum(np.arange(len(trace) + 1), ReturnOdds.HOLD) / ReturnOdds.SCALE
    ends = []
    for capacity in capacities(trace):
        served, _ = trace.cut(capacity)
        rules = replay(served, capacity, LeafLRU).hit, belady(served, capacity).hit
        ends.append([int(trace.tree.depth[hit[half:]].sum()) for hit in rules])
    lines = [f"{'':28}{'first half tells':>24}{'second half tells':>24}"]
    lines.append(f"{'signal':28}" + 2 * "".join(f"{f'{x} %':>8}" for x in PERCENT))
    for name, bucket in accesses.signals.items():
        row = f"{name:28}"
        for first, last in ((0, half), (half, len(trace))):
            score = log_odds(bucket, accesses, first, last)[bucket]
            for capacity, (least, most) in zip(capacities(trace), ends, strict=True):
                found = hits_by_odds(trace.tree.parent, accesses.start, accesses.node, score, age, capacity)
                row += f"{100 * (int(found[half:].sum()) - least) / (most - least):8.1f}"
        lines.append(row)
    return "\n".join(lines) + "\n"


def results(trace: Trace) -> str:
    """Hit rates in the second half, the first being warm-up, and the share of the gap closed."""
    report = measure_ratios(
        trace, capacities(trace), [LeafLRU, RLT, ReturnOdds, HedgedOdds], seeds=8, warmup=0.5
    )
    lines = [f"{'':14}" + "".join(f"{f'{x} %':>10}" for x in PERCENT)]
    rates = {policy.name: [] for policy in report.runs[0].policies}
    rates["opt"] = [run.opt_hit_rate for run in report.runs]
    for run in report.runs:
        for policy in run.policies:
            rates[policy.name].append(policy.hit_rate)
    lines += [f"{name:14}" + "".join(f"{100 * r:8.2f} %" for r in row) for name, row in rates.items()]
    for name in ("return_odds", "hedged_odds"):
        closed = [(a - b) / (c - b) for a, b, c in zip(rates[name], rates["lru"], rates["opt"], strict=True)]
        lines.append(f"gap closed by {name}: " + ", ".join(f"{100 * x:.1f} %" for x in closed))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both tables."""
    trace, folder = read_trace(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signals.txt").write_text(signals(trace), encoding="utf-8")
    (folder / "results.txt").write_text(results(trace), encoding="utf-8")


if __name__ == "__main__":
    main()
