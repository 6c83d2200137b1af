"""RLT at almost 2 H_w, on w chains of two nodes: exact expectations, and OPT, in the last of 4 phases."""

from kvtheory.offline.belady import belady
from kvtheory.width import harmonic
from proofs_check.rlt_lower import expected, sequence

print(" w  RLT                  OPT  2 H_w - 1             2 H_w - RLT")
for w in (3, 4, 5, 8, 12, 16):
    paid = expected(sequence(w, 4))[-1]
    opt = [
        instance.misses(belady(instance.trace, instance.capacity).hit.tolist())
        for instance in (sequence(w, 3), sequence(w, 4))
    ]
    bound = 2 * harmonic(w)
    found = f"{paid!s:13} {float(paid):5.3f} {opt[1] - opt[0]:4}"
    print(f"{w:2}  {found}  {bound - 1!s:14} {float(bound - 1):5.3f}  {bound - paid}")
