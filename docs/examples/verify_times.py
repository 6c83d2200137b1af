"""How much processor time the verifier takes, by the number of positions in a certificate."""

import time

from kvtheory.ratio.certificate import certificate
from kvtheory.ratio.certificate_best import best_certificate
from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from proofs_check.verify import verify

SOLVERS = {"best-deterministic": best_deterministic, "best-randomized": best_randomized}

print(f"{'policy':>20} {'tree':>7} {'k':>2} {'positions':>10} {'ms':>7} {'ms/position':>12}")
for name in ("lru", "best-deterministic", "best-randomized"):
    for leaves, capacity in ((3, 2), (4, 3), (5, 4), (6, 3)):
        instance = Instance.of(parse_tree(f"star:{leaves}"), capacity)
        if name == "lru":
            proof = certificate(play(instance, policies()[name]))
        else:
            proof = best_certificate(SOLVERS[name](instance))
        start = time.process_time()
        proved = verify(proof)
        took = 1000 * (time.process_time() - start)
        positions = sum(int(n) for key, n in proved.items() if key.endswith("positions"))
        row = f"{name:>20} {f'star:{leaves}':>7} {capacity:>2} {positions:>10,}"
        print(f"{row} {took:>7.1f} {took / positions:>12.2f}")
