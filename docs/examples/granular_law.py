"""m prompts of g private blocks in a cache that holds m - 1 of them: the best deterministic ratio, solved."""

from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic
from kvtheory.requestable_games import granular
from kvtheory.testing.instances import spider
from kvtheory.width import harmonic

print("prompts  blocks  ratio  H(m-1, g)  W - 1  H_(m-1)")
for m, g in ((3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (4, 1), (4, 2), (4, 3), (4, 4), (5, 2), (5, 3)):
    tree = PrefixTree.from_parents(spider(m, g))
    game = Instance.of(tree, (m - 1) * g, range(g, m * g + 1, g))
    ratio, law = best_deterministic(game).ratio, granular(m - 1, g)
    assert ratio == law
    print(f"{m:7}  {g:6}  {ratio!s:>5}  {law!s:>9}  {m - 1:5}  {harmonic(m - 1)!s:>7}")
