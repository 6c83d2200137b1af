"""What was searched for the worst of RLT, and what was found."""

import json
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "_static" / "requestable"
hunt = json.loads((FOLDER / "rlt_hunt.json").read_text(encoding="utf-8"))
seven = json.loads((FOLDER / "rlt_seven.json").read_text(encoding="utf-8"))["rows"]
rows = hunt["rows"]
settled = sum(low == high for _, _, low, high, *_ in seven)
print(f"7 nodes, every tree and 2 <= k < 7: {len(seven)} instances, {settled} settled exactly")
print(f"hunt: {hunt['instances']} instances, {hunt['evaluations']:,} cycles tried, seed {hunt['seed']}")
print(f"exact ratios not found (left out below): {hunt['unproved']} of {2 * len(rows)} best cycles")
print()
print("RLT / OPT above 2 H_w - 1    of                k")
for row in rows:
    if row["misses"] and Fraction(row["misses"]) > Fraction(row["conjecture"]):
        print(f"{row['misses']:9} {row['conjecture']:17}  {row['name']:17} {row['k']}")
print()
print("sum of E[c_i] / OPT  of                   k")
found = [row for row in rows if row["clean"] and Fraction(row["clean"]) > Fraction(2)]
for row in sorted(found, key=lambda row: -Fraction(row["clean"]))[:6]:
    print(f"{row['clean']:12} {float(Fraction(row['clean'])):.4f}  {row['name']:20} {row['k']}")
print(f"{len(found)} instances above 2")
