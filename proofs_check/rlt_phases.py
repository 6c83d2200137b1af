"""RLT: what a phase costs, what the phases sum to, and the ratio that follows."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.offline.belady import belady
from kvtheory.policies.rlt import RLT
from kvtheory.testing.chances import Belief, advance, certain
from kvtheory.testing.instances import Instance
from kvtheory.width import harmonic, width
from proofs_check.instances import misses, random_instances
from proofs_check.theorem import Effort, Row, Theorem


def phases(instance: Instance) -> list[list[int]]:
    """The requests phase by phase, from the definition."""
    done: list[list[int]] = []
    marked: set[int] = set()
    for v in instance.requests:
        path = set(instance.path(v))
        if not done or len(marked | path) > instance.capacity:
            done.append([])
            marked = set()
        marked |= path
        done[-1].append(v)
    return done


def leaves(cached: set[int], parents: tuple[int, ...]) -> int:
    """Leaves of a closed set."""
    return len(cached - {parents[u - 1] for u in cached})


def account(instance: Instance) -> tuple[Fraction, Fraction, Fraction]:
    """Exact E[misses], E[sum of c_i], and the largest E[misses in a phase | S_i] - c_i H_leaves(S_i)."""
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT)
    belief: Belief = certain(engine)
    total, clean, excess = Fraction(0), Fraction(0), Fraction(-1)
    for requests in phases(instance):
        requested = {u for v in requests for u in instance.path(v)}
        after: Belief = {}
        for chance, state in belief.values():
            engine.restore(state)
            c, width_now = len(requested - engine.cached), leaves(engine.cached, instance.parents)
            branch, spent = {None: (Fraction(1), state)}, Fraction(0)
            for v in requests:
                branch, paid = advance(engine, branch, v)
                spent += paid
            excess = max(excess, spent - c * harmonic(max(1, width_now)))
            total, clean = total + chance * spent, clean + chance * c
            for key, (share, reached) in branch.items():
                before = after[key][0] if key in after else Fraction(0)
                after[key] = before + chance * share, reached
        belief = after
    return total, clean, excess


def check(effort: Effort) -> Iterator[Row]:
    """Exact expectations, draw by draw, on random instances."""
    count = 250 if effort is Effort.QUICK else 4000
    nodes, length = (6, 14) if effort is Effort.QUICK else (7, 18)
    phase, clean_share, ratio, cases = Fraction(-1), Fraction(0), Fraction(-1), 0
    for instance in random_instances(0, count, nodes=nodes, length=length):
        total, clean, excess = account(instance)
        best = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        bound = 4 * harmonic(width(instance.tree, instance.capacity).w)
        phase, clean_share = max(phase, excess), max(clean_share, clean / best)
        ratio = max(ratio, total / best - bound)
        cases += 1
    yield Row("random: largest E[misses in a phase | S] - c H_max(1, leaves(S))", phase, "<=", 0, cases)
    yield Row("random: largest E[sum of c] / OPT", clean_share, "<=", 4, cases)
    yield Row("random: largest E[RLT] / OPT - 4 H_w", ratio, "<=", 0, cases)


THEOREM = Theorem(
    statement="In a phase that starts with cache S, RLT misses at most c H_max(1, leaves(S)) in expectation, "
    "c the requested nodes not in S; these c sum to at most 4 OPT; so RLT is 4 H_w-competitive.",
    status="proved",
    where="docs/theory/rlt.rst",
    check=check,
)
