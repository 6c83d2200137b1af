"""Certificates of the best ratio that any online algorithm can have: best-deterministic and best-randomized.

An online algorithm may load nodes ahead of a request and evict nodes at any time; it pays one for each node
it loads. A lazy one loads what is requested alone, and evicts no more than it must.

Lemma (laziness). For every online algorithm A there is a lazy one L, deterministic if A is, that never pays
more. L evicts only what A does not hold: if U = L + path exceeds the capacity, U holds a node that A, after
the request, does not; a deepest such node is a leaf of U (what lies below it A does not hold either, A's
cache being closed) and off the path (which A holds). So with A, L before and A', L' after a request, |A'
minus L'| = |A' minus U| <= |A minus U| + |A' minus A minus L minus path|. L pays |path minus L| = |path and
A minus L| + |path minus A minus L|. The sum is at most |A minus L| + |A' minus A|: what L pays, plus the
growth of |A minus L|, is at most what A pays; and |A minus L| begins with 0 and is never negative. QED

Hence an upper bound may load ahead, and a lower bound for lazy algorithms is one for all.

Lemma (adversary). Let an adversary request, at each position (cache, work function) that its own requests
and lazy answers lead to from the empty cache, a node whose path is not cached; let every lazy answer
satisfy cost - rho * increase of OPT + psi(after) >= psi(before). Then no deterministic algorithm is
r-competitive for an r < rho. Against a lazy one, n requests cost it n or more, and rho * OPT minus a
constant or more. Were it r-competitive, its cost, being unbounded, would force OPT to be unbounded too;
then r * OPT + constant >= rho * OPT - constant fails in the end. QED

Lemma (Yao). Let a Markov chain emit requests. For each of its states a and each closed set S let h(a, S) +
gain <= sum over v of p(a, v) * min over closed X with the path of v of (|X minus S| + h(a', X)), where v
leads from a to a'; for each pair of a state and a work function that it reaches let psi(a, w) + opt >= sum
over v of p(a, v) * (increase(w, v) + psi(a', w')). Then no randomised algorithm is r-competitive for an r <
gain / opt. Summed over n requests, in expectation, any algorithm, whatever it draws, pays n * gain minus a
constant or more, OPT n * opt plus a constant or less. If it were r-competitive, then n * gain - constant <=
r * n * opt + constant for all n. QED

Upper bounds are potentials as in `verify_policies.py`. A randomised algorithm is one distribution over
caches per work function, and per request a coupling of the one before and the one after, all of which
serves it.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from math import lcm
from typing import Any, Generic, TypeVar

from proofs_check.verify_rules import (
    Malformed,
    Rejected,
    Tree,
    WorkFunctions,
    integers,
    lists,
    rational,
    rationals,
    require_keys,
)

P = TypeVar("P", bound=Hashable)


class Positions(Generic[P]):
    """Numbers positions in the order in which they are met; the certificate says how many there are."""

    def __init__(self, start: P, listed: int, what: str) -> None:
        self.order, self.number, self.listed, self.what = [start], {start: 0}, listed, what
        self.number_of(start)

    def number_of(self, position: P) -> int:
        found = self.number.setdefault(position, len(self.order))
        if found >= self.listed:
            raise Rejected(f"{self.what}: {self.listed} are too few")
        if found == len(self.order):
            self.order.append(position)
        return found

    def close(self) -> str:
        if len(self.order) != self.listed:
            raise Rejected(f"{self.what}: {self.listed} are listed, {len(self.order)} are reached")
        return str(len(self.order))


class Deterministic:
    """A strategy of the algorithm, and one of the adversary; both list positions (cache, work function)."""

    def __init__(self, tree: Tree, lower: Any, upper: Any) -> None:
        self.tree, self.lower, self.upper = tree, lower, upper
        self.opt = WorkFunctions(tree)
        if lower is not None:
            require_keys(lower, {"requests", "potentials"}, "lower")
            requests(tree, lower["requests"], "lower.requests")
            self.psi = rationals(lower["potentials"], "lower.potentials", len(lower["requests"]))
        if upper is not None:
            require_keys(upper, {"potentials", "evictions"}, "upper")
            self.phi = rationals(upper["potentials"], "upper.potentials")
            for row in lists(upper["evictions"], "upper.evictions", len(self.phi)):
                for evicted in lists(row, "upper.evictions", len(tree.requestable)):
                    nodes(tree, evicted, "upper.evictions")

    def check(self, ratio: Fraction) -> dict[str, str]:
        """Both bounds, as far as they are there."""
        proved = {}
        if self.lower is not None:
            proved["adversary_positions"] = self.check_lower(ratio)
        if self.upper is not None:
            proved["positions"] = self.check_upper(ratio)
        return proved

    def check_upper(self, ratio: Fraction) -> str:
        """The strategy is one, and every request satisfies the inequality."""
        positions = Positions((0, self.opt.start), len(self.phi), "upper.potentials")
        for before, (cached, w) in enumerate(positions.order):  # grows while it is walked
            for v, evicted in zip(self.tree.requestable, self.upper["evictions"][before], strict=True):
                gone = sum(1 << u for u in evicted)
                after = (cached | self.tree.path[v]) & ~gone
                if gone & ~cached or after & self.tree.path[v] != self.tree.path[v]:
                    raise Rejected(f"position {before}, request {v}: evicts what it may not")
                if after not in self.opt.sets.number:
                    raise Rejected(f"position {before}, request {v}: does not lead to a closed set that fits")
                cost = (self.tree.path[v] & ~cached).bit_count()
                increase, w_after = self.opt.serve(w, v)
                to = positions.number_of((after, w_after))
                if cost - ratio * increase + self.phi[to] > self.phi[before]:
                    raise Rejected(f"position {before}, request {v}: the potentials do not prove {ratio}")
        return positions.close()

    def check_lower(self, ratio: Fraction) -> str:
        """Every lazy answer to the adversary satisfies the inequality."""
        positions = Positions((0, self.opt.start), len(self.psi), "lower.requests")
        for before, (cached, w) in enumerate(positions.order):
            v = self.lower["requests"][before]
            cost = (self.tree.path[v] & ~cached).bit_count()
            if not cost:
                raise Rejected(f"adversary's position {before}: asks for what is cached")
            increase, w_after = self.opt.serve(w, v)
            for answer in self.tree.answers(cached, v):
                to = positions.number_of((answer, w_after))
                if cost - ratio * increase + self.psi[to] < self.psi[before]:
                    raise Rejected(f"adversary's position {before}: the potentials do not prove {ratio}")
        return positions.close()


class Randomized:
    """A distribution over caches per work function, and a Markov chain of requests."""

    def __init__(self, tree: Tree, lower: Any, upper: Any) -> None:
        self.tree, self.lower, self.upper = tree, lower, upper
        self.opt = WorkFunctions(tree)
        if lower is not None:
            require_keys(lower, {"prefix", "chain", "gain", "opt", "online", "offline"}, "lower")
            requests(tree, lower["prefix"], "lower.prefix")
            self.gain, self.paid = (rational(lower[key], f"lower.{key}") for key in ("gain", "opt"))
            self.chain = read_chain(tree, lower["chain"])
            rows = lists(lower["online"], "lower.online", len(self.chain))
            self.online = [rationals(row, "lower.online", len(self.opt.sets.masks)) for row in rows]
            self.offline = rationals(lower["offline"], "lower.offline")
        if upper is not None:
            require_keys(upper, {"potentials", "distributions", "couplings"}, "upper")
            self.phi = rationals(upper["potentials"], "upper.potentials")
            found = lists(upper["distributions"], "upper.distributions", len(self.phi))
            self.distributions = [read_distribution(tree, distribution) for distribution in found]
            rows = lists(upper["couplings"], "upper.couplings", len(self.phi))
            self.couplings = [
                [read_coupling(c) for c in lists(row, "upper.couplings", len(tree.requestable))]
                for row in rows
            ]

    def check(self, ratio: Fraction) -> dict[str, str]:
        """Both bounds, as far as they are there."""
        proved = {}
        if self.lower is not None:
            if self.paid <= 0 or self.gain != ratio * self.paid:
                raise Rejected(f"lower: {self.gain} to {self.paid} is not {ratio}")
            self.check_online()
            proved["chain_states"] = str(len(self.chain))
            proved["chain_positions"] = self.check_offline()
        if self.upper is not None:
            proved["positions"] = self.check_upper(ratio)
        return proved

    def check_upper(self, ratio: Fraction) -> str:
        """The algorithm is one, and every request satisfies the inequality."""
        for q, distribution in enumerate(self.distributions):
            caches = [cache for cache, _ in distribution]
            if any(p <= 0 for _, p in distribution) or sum(p for _, p in distribution) != 1:
                raise Rejected(f"distribution {q}: does not sum to 1, or holds what is not positive")
            if len(set(caches)) != len(caches) or not set(caches) <= set(self.opt.sets.masks):
                raise Rejected(f"distribution {q}: holds a cache twice, or one that is none")
        positions = Positions(self.opt.start, len(self.phi), "upper.potentials")
        if self.distributions[0] != [(0, Fraction(1))]:
            raise Rejected("distribution 0: is not the empty cache")
        for before, w in enumerate(positions.order):
            for v, coupling in zip(self.tree.requestable, self.couplings[before], strict=True):
                increase, w_after = self.opt.serve(w, v)
                to = positions.number_of(w_after)
                loads = self.loads(before, v, to, coupling)
                if loads - ratio * increase + self.phi[to] > self.phi[before]:
                    raise Rejected(f"position {before}, request {v}: the potentials do not prove {ratio}")
        return positions.close()

    def loads(self, before: int, v: int, to: int, coupling: list[tuple[int, int, Fraction]]) -> Fraction:
        """Expected loads of a coupling that has the right marginals and serves the request."""
        sources, targets = self.distributions[before], self.distributions[to]
        left, wanted = [p for _, p in sources], [p for _, p in targets]
        loads = Fraction(0)
        for i, j, p in coupling:
            if i >= len(sources) or j >= len(targets) or p <= 0:
                raise Rejected(f"position {before}, request {v}: the coupling holds what is not there")
            left[i] -= p
            wanted[j] -= p
            loads += p * (targets[j][0] & ~sources[i][0]).bit_count()
        if any(left) or any(wanted):
            raise Rejected(f"position {before}, request {v}: the coupling does not fit")
        if any(cache & self.tree.path[v] != self.tree.path[v] for cache, _ in targets):
            raise Rejected(f"position {before}, request {v}: is not served")
        return loads

    def check_online(self) -> None:
        """From every cache the next request, and what follows, costs `gain` more than h in expectation."""
        unit = lcm(*(x.denominator for row in self.online for x in row))
        value = [[int(x * unit) for x in row] for row in self.online]
        for a, emitted in enumerate(self.chain):
            if sum(p for _, p, _ in emitted) != 1 or any(p <= 0 for _, p, _ in emitted):
                raise Rejected(f"chain state {a}: the chances do not sum to 1, or one is not positive")
            common = lcm(*(p.denominator for _, p, _ in emitted))
            total = [0] * len(self.opt.sets.masks)
            for v, p, after in emitted:
                cheapest = self.opt.sets.reach(value[after], v, unit, 0)
                total = [t + int(p * common) * x for t, x in zip(total, cheapest, strict=True)]
            for here, expected in zip(value[a], total, strict=True):
                if expected < common * (here + self.gain * unit):
                    raise Rejected(f"chain state {a}: an algorithm may pay less than {self.gain}")

    def check_offline(self) -> str:
        """From every pair that is reached OPT's expected cost exceeds what psi falls by `opt` at most."""
        w = self.opt.start
        for v in self.lower["prefix"]:
            _, w = self.opt.serve(w, v)
        positions = Positions((0, w), len(self.offline), "lower.offline")
        for before, (a, w) in enumerate(positions.order):
            expected = Fraction(0)
            for v, p, after in self.chain[a]:
                increase, w_after = self.opt.serve(w, v)
                expected += p * (increase + self.offline[positions.number_of((after, w_after))])
            if self.offline[before] + self.paid < expected:
                raise Rejected(f"chain position {before}: OPT may pay more than {self.paid}")
        return positions.close()


def nodes(tree: Tree, found: Any, where: str) -> int:
    """A set of nodes, written ascending, as a bitmask."""
    if integers(found, where, 1, len(tree.parent) - 1) != sorted(set(found)):
        raise Malformed(f"{where}: a set of nodes does not ascend")
    return sum(1 << u for u in found)


def requests(tree: Tree, found: Any, where: str) -> None:
    if not set(integers(found, where, 1, len(tree.parent) - 1)) <= set(tree.requestable):
        raise Malformed(f"{where}: holds nodes that may not be requested")


def read_distribution(tree: Tree, found: Any) -> list[tuple[int, Fraction]]:
    pairs = [lists(item, "upper.distributions", 2) for item in lists(found, "upper.distributions")]
    return [(nodes(tree, u, "upper.distributions"), rational(p, "upper.distributions")) for u, p in pairs]


def read_coupling(found: Any) -> list[tuple[int, int, Fraction]]:
    moves = [lists(item, "upper.couplings", 3) for item in lists(found, "upper.couplings")]
    for i, j, _ in moves:
        integers([i, j], "upper.couplings", 0, 1 << 30)
    return [(i, j, rational(p, "upper.couplings")) for i, j, p in moves]


def read_chain(tree: Tree, found: Any) -> list[list[tuple[int, Fraction, int]]]:
    """For each state the requests it may emit, ascending: (node, chance, next state)."""
    chain = []
    for row in lists(found, "lower.chain"):
        emitted = [lists(item, "lower.chain", 3) for item in lists(row, "lower.chain")]
        requests(tree, [v for v, _, _ in emitted], "lower.chain")
        nodes(tree, [v for v, _, _ in emitted], "lower.chain")
        integers([after for _, _, after in emitted], "lower.chain", 0, len(found) - 1)
        chain.append([(v, rational(p, "lower.chain"), after) for v, p, after in emitted])
    if not chain:
        raise Malformed("lower.chain: is empty")
    return chain


BEST = {"best-deterministic": Deterministic, "best-randomized": Randomized}
