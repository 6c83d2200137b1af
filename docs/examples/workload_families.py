"""What the realistic workloads look like: their size, and what an infinite cache would reuse."""

import numpy as np

from kvtheory.sources import generate

SPECS = (
    "chat:sessions=500",
    "chat:sessions=500,abandon=0.3",
    "documents:visits=500",
    "documents:visits=500,exponent=0",
    "agents:tasks=150",
    "agents:tasks=150,backtrack=0,spawn=0",
    "rag:requests=2000,spread=0,order=random",
    "rag:requests=2000,spread=0,order=relevance",
    "rag:requests=2000,spread=0,order=popularity",
    "drift:requests=2000,move=renew,period=4",
    "mixture:of=chat:sessions=200+documents:visits=150+agents:tasks=40",
)

print("requests    nodes  mean path   reused  branching")
for spec in SPECS:
    trace = generate(spec)
    tree = trace.tree
    reused = 1 - tree.n / trace.accesses
    branching = (np.bincount(tree.parent[1:]) > 1).sum()  # nodes of several children
    print(f"{len(trace):8}  {tree.n:7}  {trace.depths.mean():9.1f}  {reused:7.1%}  {branching:9}  {spec}")
