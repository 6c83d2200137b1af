"""How many states the game has: on the concrete tree, and up to symmetry."""

from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import work_functions
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree

print(f"{'tree':>9} {'k':>2} {'work functions':>15} {'policy':>7} {'pairs':>7} {'visited':>8} {'ratio':>6}")
for text, capacity in (("star:4", 3), ("star:5", 4), ("comb:3", 4), ("0,0,1,1,2", 4)):
    instance = Instance.of(parse_tree(text), capacity)
    for name in ("lru", "fifo", "rlt"):
        found = play(instance, policies()[name]).result()
        works = len(work_functions(instance))
        row = f"{text:>9} {capacity:>2} {works:>15} {name:>7} {found.states:>7,}"
        print(f"{row} {found.states_reduced:>8,} {found.ratio!s:>6}")
