"""Upper bounds where infinitely many distributions are reachable: anchors that cover the rest, by convexity.

What a sequence of requests costs is linear in the distribution over policy states, so the most that an
adversary can gain from a distribution is convex in it: a mixture of distributions is worth at most the
mixture of their worths. Some distributions are chosen as *anchors*; whatever else a request leads to is
written as a mixture of anchors. Potentials phi of pairs (anchor, work function) with

    cost - rho * increase + sum of lambda_j * phi(anchor j, w') <= phi(anchor, w)

on every request prove that the ratio is at most rho. Floats (a linear program) find them; Fractions decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from kvtheory.ratio.belief import Beliefs, Distribution
from kvtheory.ratio.programme import Mixture, Programme
from kvtheory.ratio.work_function import WorkFunctions

CLOSE = 1e-7
GRID = 1 << 10
DENOMINATORS = (1, 60, 5040, 10**6)
COARSE = 1000


@dataclass(frozen=True, eq=False)
class Cover:
    """Anchors and where requests lead from them.

    Attributes:
        beliefs: how distributions move, without symmetry.
        anchors: distributions; the first is certainly the empty cache.
        cost: expected misses, by anchor and request.
        mixture: (anchor, share) of what a request leads to, by anchor and request; shares sum to 1.
    """

    beliefs: Beliefs
    anchors: list[Distribution]
    cost: list[list[Fraction]]
    mixture: list[list[Mixture]]


@dataclass(frozen=True, eq=False)
class UpperBound:
    """A proved upper bound on the ratio.

    Attributes:
        ratio: rho.
        cover: anchors and mixtures.
        pairs: (anchor, work function), breadth first from the empty cache, requests ascending, mixtures in
            their order.
        potential: one Fraction for each pair, not negative.
    """

    ratio: Fraction
    cover: Cover
    pairs: list[tuple[int, int]]
    potential: list[Fraction]


def make_cover(beliefs: Beliefs, count: int) -> Cover:
    """Take the first `count` distributions from the empty cache, breadth first, and what they do not cover.

    A distribution that is no anchor is peeled: as much as possible of the anchor that holds most of it, again
    and again; single states, which become anchors, cover what is left.
    """
    requestable = beliefs.instance.requestable
    anchors, number = [beliefs.start], {beliefs.start: 0}
    served: list[list[tuple[Fraction, Distribution]]] = []
    for anchor in anchors:  # grows while it is walked
        served.append([beliefs.serve(anchor, v) for v in requestable])
        for _, after in served[-1]:
            if after not in number and len(anchors) < count:
                number[after] = len(anchors)
                anchors.append(after)
    large = [(j, shares(anchor)) for j, anchor in enumerate(anchors) if len(anchor) > 1]
    mixture: list[list[Mixture]] = []
    for i, anchor in enumerate(anchors):  # grows while it is walked
        if i == len(served):
            served.append([beliefs.serve(anchor, v) for v in requestable])
        row: list[Mixture] = []
        for _, after in served[i]:
            if after in number:
                row.append([(number[after], Fraction(1))])
                continue
            mixed, rest = _peel(shares(after), large)
            for state, share in sorted(rest.items()):
                single: Distribution = ((state, 1),)
                if single not in number:
                    number[single] = len(anchors)
                    anchors.append(single)
                mixed.append((number[single], share))
            row.append(mixed)
        mixture.append(row)
    return Cover(beliefs, anchors, [[cost for cost, _ in row] for row in served], mixture)


def shares(distribution: Distribution) -> dict[int, Fraction]:
    """Chance of each state."""
    total = sum(weight for _, weight in distribution)
    return {state: Fraction(weight, total) for state, weight in distribution}


def _peel(
    rest: dict[int, Fraction], large: list[tuple[int, dict[int, Fraction]]]
) -> tuple[Mixture, dict[int, Fraction]]:
    mixed: dict[int, Fraction] = {}
    while True:
        most, best = 0.0, None
        for j, anchor in large:
            if anchor.keys() <= rest.keys():
                share = min(rest[state] / p for state, p in anchor.items())
                share = Fraction(int(share * GRID), GRID)  # short numbers; what is lost is covered by others
                if float(share) * (len(anchor) - 1) > most:
                    most, best = float(share) * (len(anchor) - 1), (j, anchor, share)
        if best is None:
            return list(mixed.items()), rest
        j, anchor, share = best
        mixed[j] = mixed.get(j, Fraction(0)) + share
        rest = {state: p - share * anchor.get(state, 0) for state, p in rest.items()}
        rest = {state: p for state, p in rest.items() if p}


def upper_bound(
    beliefs: Beliefs, works: WorkFunctions, count: int, lower: Fraction = Fraction(1)
) -> UpperBound | None:
    """The best upper bound that a cover gives, with its proof; None where none was found.

    Args:
        beliefs: the policy's distributions, without symmetry.
        works: OPT's work functions.
        count: distributions to take as anchors before others are covered.
        lower: a known lower bound, tried first.
    """
    cover = make_cover(beliefs, count)
    programme = Programme(cover.cost, cover.mixture, works)
    least = None if programme.too_large else programme.solve()
    if least is None:
        return None
    near = [lower, *(Fraction(least[0]).limit_denominator(d) for d in DENOMINATORS[1:3])]
    for ratio in dict.fromkeys(x for x in near if x >= lower and abs(float(x) - least[0]) < CLOSE):
        found = programme.solve(ratio) or least
        rounded = ([Fraction(x).limit_denominator(d) for x in found[1].tolist()] for d in DENOMINATORS)
        for potential in (*rounded, programme.exact(ratio, found[1])):
            if potential is not None and programme.holds(ratio, potential):
                return UpperBound(ratio, cover, programme.pairs, potential)
    ratio = Fraction(ceil(least[0] * COARSE + 0.5), COARSE)
    raised = programme.raised(ratio, (programme.solve(ratio) or least)[1].tolist())
    if raised is None or not programme.holds(ratio, raised):
        return None
    return UpperBound(ratio, cover, programme.pairs, raised)
