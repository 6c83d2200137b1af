"""What the table of all small games with requestable nodes says."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

table = json.loads((Path(__file__).parents[1] / "_static/requestable/games.json").read_text(encoding="utf-8"))
games, seven = table["games"], table["seven"]
ratio = [Fraction(row["deterministic"]) for row in games]
print(f"{len(games)} games of at most 6 nodes; best deterministic ratio: games")
print("   ".join(f"{value}: {count}" for value, count in sorted(Counter(ratio).items())))
pairs = list(zip(games, ratio, strict=True))
print(f"equal to the granular bound: {sum(Fraction(row['granular']) == r for row, r in pairs)}")
print(f"equal to the upper bound:    {sum(row['upper'] == r for row, r in pairs)}")
print(f"leaf-LRU attains the ratio:  {sum(Fraction(row['lru']) == r for row, r in pairs)}")
print(f"{seven['games']} games of 7 nodes: {seven['granular']} equal to the granular bound,")
print(f"{seven['fractional']} fractional")
print()
print("kernels of the fractional ratios; how many games of at most 6 nodes, of 7, come from each")
print("best  LRU   random    tree            k  R            W  W_R  exact  games")
for row in table["kernels"]:
    small = sum(count for n, count in row["games"].items() if n != "7")
    best = row["random_low"] if row["random_low"] == row["random_high"] else f"<= {row['random_high']}"
    tree, chosen = (",".join(map(str, row[key])) for key in ("tree", "R"))
    print(
        f"{row['deterministic']:4}  {row['lru']:4}  {best:8}  {tree:14}  {row['k']}  {chosen:11}  {row['W']}"
        f"  {row['W_R']:3}  {row['exact']:5}  {small}, {row['games'].get('7', 0)}"
    )
