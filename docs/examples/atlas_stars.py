"""Flat paging in the committed atlas: stars."""

from pathlib import Path

from kvtheory.ratio.atlas import find
from kvtheory.report.atlas import read_atlas, value

NAMES = ("lru", "fifo", "random", "rlt", "bucketing", "best-randomized")
rows = read_atlas(Path(__file__).parents[1] / "_static" / "atlas" / "atlas.jsonl")
print("leaves  k  " + "  ".join(f"{name:>15}" for name in NAMES))
for n in range(3, 7):
    for k in range(2, n):
        row = find(rows, [0] * n, k)
        print(f"{n:>6}  {k}  " + "  ".join(f"{value(row, name)!s:>15}" for name in NAMES))
