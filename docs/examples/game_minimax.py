"""The best ratio that any algorithm can have, and who proves it."""

from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.shapes import parse_tree
from kvtheory.width import width

print(f"{'tree':>10} {'k':>2} {'W':>2} {'deterministic':>14} {'randomised':>11}   kind")
for text, capacity in (("star:3", 2), ("star:4", 3), ("comb:2", 3), ("binary:2", 4), ("0,0,1,2,3", 4)):
    tree = parse_tree(text)
    instance = Instance.of(tree, capacity)
    fixed, drawn = best_deterministic(instance), best_randomized(instance)
    row = f"{text:>10} {capacity:>2} {width(tree, capacity).W:>2} {fixed.ratio!s:>14} {drawn.ratio!s:>11}"
    print(f"{row}   {drawn.kind}")
