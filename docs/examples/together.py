"""How many tokens hit when requests run together: the model that vLLM is held to, at one cache size."""

import numpy as np

from kvtheory.engine.kernel import replay
from kvtheory.live.together import hits_together
from kvtheory.registry import policies
from kvtheory.sources import generate

BLOCKS = 256  # usable blocks; the longest prompt has 32
trace = generate("gsp:groups=24,prompts=24,block=256,order=random,seed=1")
outputs = np.random.default_rng(0).integers(1, 25, len(trace))
asked = int(trace.depths.sum())


def share(hits) -> str:
    return f"{int(np.sum(hits)) / asked:7.1%}"


print("policy        one   -7 blocks   two     four    eight")
for name in ("lru", "fifo", "lfu", "random", "rlt", "marking"):
    policy = policies()[name]
    alone = trace.tree.depth[replay(trace, BLOCKS - 1, policy, 0).hit]
    less = trace.tree.depth[replay(trace, BLOCKS - 8, policy, 0).hit]
    batches = [hits_together(trace, policy, BLOCKS, n, outputs=outputs) for n in (2, 4, 8)]
    print(f"{name:8}", share(alone), " ", share(less), *map(share, batches))
