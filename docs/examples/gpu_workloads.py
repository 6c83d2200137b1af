"""Nodes, requests and longest prompts of the workloads that are meant for a GPU, in blocks of 16 tokens."""

from gpu_validation.prompts import shorten
from kvtheory.sources import open_source

WORKLOADS = (
    "cyclic:prompts=9,blocks=240,requests=180",
    *(f"gsp:groups=10,prompts=16,block=16,order={order}" for order in ("random", "grouped", "round_robin")),
    "chat:sessions=60,block=16",
    "documents:visits=60,documents=32,block=16",
)
LONGEST = (8192 - 1 - 1) // 16  # one generated token, and a last block that is never full

for spec in WORKLOADS:
    trace = shorten(open_source(spec), requests=200, deepest=LONGEST)
    print(f"{spec}: {trace.tree.n} nodes, {len(trace)} requests of at most {trace.depths.max()} blocks")
