"""The committed runs of learned and random search: every sequence is replayed, its ALG/OPT computed again."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

import numpy as np

from kvtheory.engine.kernel import prepare
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree

FILE = Path(__file__).parents[1] / "_static" / "learned" / "curves.jsonl"
FIRST_UNSEEN = 1000


def misses(trace, hit):
    return trace.accesses - int(trace.tree.depth[hit].sum())


def replayed(row):
    """ALG and OPT, both summed over the judging seeds."""
    policy, capacity, count = policies()[row["policy"]], row["capacity"], row["judging_seeds"]
    trace = Trace(parse_tree(row["tree"]), np.array(row["requests"], dtype=np.int32))
    seeds = range(FIRST_UNSEEN, FIRST_UNSEEN + count) if policy.randomised() else (0,)
    alg = sum(misses(trace, prepare(trace, capacity, policy, seed)().hit) for seed in seeds)
    return alg, count * misses(trace, belady(trace, capacity).hit)


rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
cases = defaultdict(lambda: defaultdict(list))
for row in rows:
    alg, opt = replayed(row)
    assert [alg, opt] == row["curve"][-1][1:], row
    cases[row["tree"], row["capacity"], row["policy"]][row["method"]].append(alg / opt)

first = rows[0]
print(
    f"{first['length']} requests, {first['evaluations']} sequences a search; mean (least to largest), 5 seeds"
)
print(
    f"{'tree':<20} {'k':>2} {'policy':<8}" + "".join(f" {method:>20}" for method in cases[next(iter(cases))])
)
wins = 0
for (tree, capacity, policy), methods in cases.items():
    cells = [f"{mean(found):.2f} ({min(found):.2f} to {max(found):.2f})" for found in methods.values()]
    print(f"{tree:<20} {capacity:>2} {policy:<8}" + "".join(f" {each:>20}" for each in cells))
    rivals = [ratio for method, found in methods.items() if method != "learned" for ratio in found]
    wins += min(methods["learned"]) > max(rivals)
print(f"the worst learned seed beats the best of all random searches in {wins} of {len(cases)} cases")
