"""Certificates of the best ratios for the tests of the verifier, and the solved games behind them."""

from kvtheory.ratio.certificate_best import best_certificate
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.shapes import parse_tree


def game(tree, capacity, requestable=None):
    return Instance.of(parse_tree(tree), capacity, requestable)


FOUND = {
    "det": best_deterministic(game("star:3", 2)),
    "det tree": best_deterministic(game("0,0,1,0", 2)),
    "det 5/4": best_deterministic(game("0,0,0,1", 2, [2, 3, 4])),
    "det one": best_deterministic(game("0,0", 2)),
    "rand": best_randomized(game("star:3", 2)),
    "rand tree": best_randomized(game("0,0,1,0", 2)),
    "rand chain": best_randomized(game("0,0,0,1", 2, [2, 3, 4])),
    "rand open": best_randomized(game("0,0,0,1,2", 3, [3, 4, 5])),
}
HONEST = {name: best_certificate(found) for name, found in FOUND.items()}
HONEST["det lower"], HONEST["det upper"] = (best_certificate(FOUND["det 5/4"], k) for k in ("lower", "upper"))
HONEST["rand upper"] = best_certificate(FOUND["rand open"], "upper")
LOWER = [name for name, found in HONEST.items() if found["lower"]]
UPPER = [name for name, found in HONEST.items() if found["upper"]]
CHAINS = [name for name in LOWER if name.startswith("rand")]
