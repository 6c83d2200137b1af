"""RLT in the committed atlas: against its caps, against leaf-LRU, against the optimum, against the others."""

from collections import Counter
from itertools import combinations
from pathlib import Path

from kvtheory.report.atlas import named, read_atlas, value
from kvtheory.width import harmonic

rows = read_atlas(Path(__file__).parents[1] / "_static" / "atlas" / "atlas.jsonl")
wide = [row for row in rows if row["W"] > 2]
for label, cap in (("4H(w)", lambda h: 4 * h), ("2H(w) - 1", lambda h: 2 * h - 1)):
    shares = [value(row, "rlt") / cap(harmonic(row["w"])) for row in wide]
    at = [row for row, share in zip(wide, shares, strict=True) if share == max(shares)]
    print(f"largest RLT / ({label}) where W > 2: {max(shares)}, on {len(at)} of {len(wide)}")
    print(f"  {named(at[0])}: {value(at[0], 'rlt')}")

over = [(value(row, "rlt") / value(row, "best-randomized"), -i, row) for i, row in enumerate(rows)]
print(
    f"RLT is above the optimum on {sum(x > 1 for x, *_ in over)}; most: {max(over)[0]}, {named(max(over)[2])}"
)
full = [row for row in rows if row["n"] == row["k"] + 1 and row["k"] >= 2]
print(
    f"n = k + 1: optimal on {sum(value(row, 'rlt') == value(row, 'harmonic') for row in full)} of {len(full)}"
)

loses = [row for row in rows if value(row, "rlt") > value(row, "lru")]
print(f"RLT is worse than leaf-LRU on {len(loses)}; the smallest have {loses[0]['n']} nodes:")
for row in loses:
    ratios = (f"{name} {value(row, name)}" for name in ("rlt", "lru", "best-randomized"))
    print(f"  {named(row)}: {', '.join(ratios)}")

for a, b in combinations(("lru", "random", "rlt", "bucketing"), 2):
    sign = Counter((value(row, a) > value(row, b)) - (value(row, a) < value(row, b)) for row in rows)
    print(f"{a} against {b}: better on {sign[-1]}, equal on {sign[0]}, worse on {sign[1]}")
