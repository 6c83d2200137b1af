"""The committed table of searches against exact ratios, row by row."""

import json
from fractions import Fraction
from pathlib import Path

FILE = Path(__file__).parents[1] / "_static" / "search" / "search.jsonl"
rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
open_ones = [row for row in rows if row["exact"] != "1/1"]
print(f"{len(rows) - len(open_ones)} rows have the exact ratio 1, and are left out here.\n")
print("policy         parents      k   exact   found  share %  method  length  evaluations  at  enough")
for row in open_ones:
    found = Fraction(row["ratio"])
    share = 100 * float(found / Fraction(row["exact"]))
    print(
        f"{row['policy']:<14} {','.join(map(str, row['parents'])):<12} {row['k']} {row['exact']:>7} "
        f"{float(found):>7.4f} {share:>8.2f}  {row['method']:<6} {row['length']:>7} {row['evaluations']:>12} "
        f"{row['found_at']:>5} {row['enough']:>5}"
    )
