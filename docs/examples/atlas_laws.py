"""The committed atlas, counted: every policy against the two laws, and the deterministic rows of 7 nodes."""

from collections import Counter
from pathlib import Path

from kvtheory.report.atlas import read_atlas, table, value

FOLDER = Path(__file__).parents[1] / "_static" / "atlas"

rows = read_atlas(FOLDER / "atlas.jsonl")
print(f"at most 6 nodes: {len(rows)} instances, {sum(row['k'] >= 2 for row in rows)} with k >= 2")
print(*table(rows), sep="\n")
for name, law in (("lru", "law"), ("best-deterministic", "law"), ("best-randomized", "harmonic")):
    holds = sum(value(row, name) == value(row, law) for row in rows)
    kinds = Counter(row["policies"][name]["kind"] for row in rows)
    formula = "max(1, W - 1)" if law == "law" else "H(max(1, W - 1))"
    exact = f"{kinds['rational']} rational, {kinds['numeric']} numeric"
    print(f"{name} is {formula} on {holds} of {len(rows)}; {exact}")

seven = read_atlas(FOLDER / "deterministic7.jsonl")
print(f"\nat most 7 nodes: {len(seven)} instances")
print(*table(seven), sep="\n")
here = Counter(value(row, "lru") for row in seven if (row["n"], row["k"]) == (7, 4))
said = ", ".join(f"ratio {ratio} on {times}" for ratio, times in sorted(here.items()))
print(f"n = 7, k = 4, {sum(here.values())} trees: {said}")
