"""Three chains of two nodes, k = 4: the cycle on which RLT pays 5/2, and the best algorithm there is."""

import numpy as np

from kvtheory.model import PrefixTree, Trace
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_randomized
from kvtheory.ratio.played import PlayedPolicy
from kvtheory.registry import select_policies

PARENTS, CAPACITY, CYCLE = [0, 1, 0, 3, 0, 5], 4, [2, 4, 5, 4, 6, 1, 6, 2, 3]

tree = PrefixTree.from_parents(PARENTS)
optimum = PlayedPolicy("optimum", best_randomized(Instance.of(tree, CAPACITY)).policy())
trace = Trace(tree, np.array(CYCLE * 300, dtype=np.int32))
report = measure_ratios(trace, [CAPACITY], [*select_policies("lru,rlt,bucketing"), optimum], seeds=16)
for run in report.runs[0].policies:
    print(f"{run.name:>9}  ratio to OPT {run.ratio:.3f}  proved {run.bound:.3f}")
