"""What is cached before each request, exactly: 0 or 1 for a policy that does not draw, else the chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from kvtheory.engine.exact import ExactEngine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.policy import Policy
from kvtheory.ratio.belief import Beliefs
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Symmetry

Marginals = list[list[Fraction]]


def marginals(trace: Trace, capacity: int, policy: type[Policy]) -> Marginals:
    """The chance that each node is cached before each request, shape (requests, n + 1); the root is 1.

    The distribution over the policy's states is carried along, so that few nodes and few requests are meant.

    Raises:
        InputError: if a prompt is longer than the capacity, or a policy that draws has infinitely many exact
            states or meets a tree too large for them.
    """
    if int(trace.depths.max(initial=0)) > capacity:
        raise InputError(f"a prompt is longer than the capacity {capacity}", file=trace.source)
    if policy.randomised():
        return _drawn(trace, capacity, policy)
    _, victims = ReferenceEngine(trace.tree, capacity, policy).run(trace.requests.tolist())
    return held(trace, victims)


def held(trace: Trace, victims: Iterable[Iterable[int]]) -> Marginals:
    """What a schedule has cached before each request, as 0 or 1, from the victims of each request."""
    cached = [Fraction(1)] + [Fraction(0)] * trace.tree.n
    found: Marginals = []
    for v, gone in zip(trace.requests.tolist(), victims, strict=True):
        found.append(list(cached))
        for u in trace.tree.path(v):
            cached[u] = Fraction(1)
        for u in gone:
            cached[u] = Fraction(0)
    return found


def _drawn(trace: Trace, capacity: int, policy: type[Policy]) -> Marginals:
    game = Instance.of(trace.tree, capacity)
    engine = ExactEngine(trace.tree, capacity, policy)
    beliefs = Beliefs(game, engine, Symmetry(game, enabled=False))
    belief, found = beliefs.start, []
    for v in trace.requests.tolist():
        total = sum(weight for _, weight in belief)
        chances = [Fraction(1)]
        for u in range(1, trace.tree.n + 1):
            held = sum(weight for state, weight in belief if beliefs.states[state][u][0])
            chances.append(Fraction(held, total))
        found.append(chances)
        belief = beliefs.serve(belief, v)[1]
    return found


def misses(tree: PrefixTree, requests: Sequence[int], cached: Marginals) -> list[Fraction]:
    """Expected missed nodes of each request, from :func:`marginals`."""
    return [
        sum((1 - chances[u] for u in tree.path(v)), Fraction(0))
        for v, chances in zip(requests, cached, strict=True)
    ]
