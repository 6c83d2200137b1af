"""The same prompts and the same tokens of cache, in blocks of three sizes."""

from kvtheory.engine.kernel import replay
from kvtheory.registry import policies
from kvtheory.sources import generate

TOKENS = 65_536
print("tokens a block   lru: tokens hit   rlt: tokens hit")
for block in (16, 64, 256):
    trace = generate(f"gsp:groups=24,prompts=24,block={block},order=random,shared=0.3,seed=1")
    below = [0]  # tokens from the root to each node
    for parent, own in zip(trace.tree.parent[1:].tolist(), trace.tree.tokens[1:].tolist(), strict=True):
        below.append(below[parent] + own)
    shares = []
    for name in ("lru", "rlt"):
        hit = replay(trace, TOKENS // block, policies()[name], 0).hit
        tokens = sum(below[v] for v in hit.tolist())
        shares.append(tokens / sum(below[v] for v in trace.requests.tolist()))
    print(f"{block:14} {shares[0]:17.2%} {shares[1]:17.2%}")
