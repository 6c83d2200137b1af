"""Routers restated in plain Python: sets of nodes, sums over histories, no index, no array, no ledger.

A :class:`Past` is all that a router may have seen; a rule is a function of it and of the request at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import CostModel, PrefixTree
from kvtheory.policies.lru import LeafLRU
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, Router, View

WHOLE = 1 << 64


@dataclass
class Sent:
    """A request on its way, and what was missing of it by either belief."""

    request: int
    worker: int
    node: int
    length: int
    now: float
    missed_seen: int
    missed: int
    first: bool = False


@dataclass
class Past:
    """What has happened."""

    tree: PrefixTree
    workers: int
    capacity: int
    costs: CostModel
    seed: int
    up: list[int] = field(default_factory=list)
    seen: list[set[int]] = field(default_factory=list)
    caches: list[ReferenceEngine] = field(default_factory=list)
    flying: dict[int, Sent] = field(default_factory=dict)
    history: list[Sent] = field(default_factory=list)  # dispatches to workers that have lived on
    store: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.up = list(range(self.workers))
        self.seen = [set() for _ in self.up]
        self.caches = [self.cache() for _ in self.up]
        self.stream = SplitMix64(self.seed)

    def cache(self) -> ReferenceEngine:
        return ReferenceEngine(self.tree, self.capacity, LeafLRU, 0, check_traits=False)

    def path(self, v: int) -> list[int]:
        return self.tree.path(v)

    def matched_seen(self, w: int, v: int) -> int:
        return sum(u in self.seen[w] for u in self.path(v))

    def matched(self, w: int, v: int) -> int:
        return sum(u in self.caches[w].cached for u in self.path(v))

    def at(self, w: int) -> list[Sent]:
        return [sent for sent in self.flying.values() if sent.worker == w]

    def busy(self, w: int) -> int:
        return len(self.at(w))

    def waiting(self, w: int) -> list[Sent]:
        return [sent for sent in self.at(w) if not sent.first]

    def active(self, w: int) -> set[int]:
        return {u for sent in self.at(w) for u in self.path(sent.node)}

    def prefill(self, missed: int, length: int) -> float:
        return float(self.costs.prefill(length - missed, missed))

    # what happens

    def dispatch(self, a: Arrival, w: int) -> None:
        sent = Sent(
            a.request,
            w,
            a.node,
            a.length,
            a.now,
            a.length - self.matched_seen(w, a.node),
            a.length - self.matched(w, a.node),
        )
        self.flying[a.request] = sent
        self.history.append(sent)
        self.seen[w] |= set(self.path(a.node))
        self.caches[w].serve(a.node)

    def down(self, w: int) -> list[int]:
        lost = [sent.request for sent in self.at(w)]
        for request in lost:
            del self.flying[request]
        self.history = [sent for sent in self.history if sent.worker != w]
        self.up.remove(w)
        self.seen[w] = set()
        self.caches[w] = self.cache()
        return lost


Rule = Callable[[Past, Arrival], int]


def drawn(past: Past, equals: list[int]) -> int:
    """One of some equals; nothing is drawn where there is one."""
    return equals[past.stream.below(len(equals))] if len(equals) > 1 else equals[0]


def equals(workers: list[int], key: Callable[[int], Any]) -> list[int]:
    """The workers of least key."""
    least = min(map(key, workers))
    return [w for w in workers if key(w) == least]


def least_outstanding(p: Past, a: Arrival) -> int:
    return min(p.up, key=p.busy)


def jsq(p: Past, a: Arrival) -> int:
    return min(p.up, key=lambda w: sum(p.prefill(s.missed, s.length) + p.costs.output for s in p.at(w)))


def random(p: Past, a: Arrival) -> int:
    return p.up[p.stream.below(len(p.up))]


def longest_prefix(p: Past, a: Arrival) -> int:
    return min(p.up, key=lambda w: (-p.matched_seen(w, a.node), p.busy(w)))


def cache_aware(p: Past, a: Arrival, absolute: int = 32, threshold: float = 0.5) -> int:
    low, high = min(map(p.busy, p.up)), max(map(p.busy, p.up))
    if high - low > absolute and high > 1.0001 * low:
        return min(p.up, key=p.busy)
    best = min(p.up, key=lambda w: -p.matched_seen(w, a.node))
    if a.length and p.matched_seen(best, a.node) / a.length > threshold:
        return best
    return min(p.up, key=lambda w: len(p.seen[w]))


def preble(p: Past, a: Arrival, window: float = 180_000.0, imbalance: float = 2.0) -> int:
    # an entry leaves for good as soon as an arrival sees it too old: clocks may be set back
    p.history = [s for i, s in enumerate(p.history) if i >= first_young(p.history, a.now - window)]

    def load(w: int) -> float:
        return sum(p.prefill(s.missed, s.length) + p.costs.output for s in p.history if s.worker == w)

    def price(w: int) -> float:
        missed = len(p.path(a.node)) - p.matched(w, a.node)
        held = len(p.caches[w].cached - {0})
        over = max(0, held + missed - p.capacity)
        mine = [p.prefill(s.length, s.length) for s in p.history if s.worker == w]
        worth = sum(mine) / max(1, held * len(mine))
        return load(w) + over * worth + p.prefill(a.length - p.matched(w, a.node), a.length)

    longest = max(p.matched(w, a.node) for w in p.up)
    if longest <= a.length - longest:
        return min(p.up, key=price)
    best = min((w for w in p.up if p.matched(w, a.node) == longest), key=load)
    lightest = min(p.up, key=load)
    heaviest = max(map(load, p.up))
    return lightest if load(best) == heaviest and heaviest > imbalance * load(lightest) else best


def first_young(history: list[Sent], edge: float) -> int:
    return next((i for i, sent in enumerate(history) if sent.now > edge), len(history))


def dynamo(p: Past, a: Arrival, weight: float = 1.0) -> int:
    def cost(w: int) -> float:
        missed = len(p.path(a.node)) - p.matched(w, a.node)
        prefill = sum(s.missed for s in p.waiting(w)) + missed
        return weight * prefill + len(p.active(w) | set(p.path(a.node)))

    return drawn(p, equals(equals(p.up, cost), lambda w: len(p.caches[w].cached)))


def llmd(p: Past, a: Arrival) -> int:
    queues = [len(p.waiting(w)) for w in p.up]
    low, high = min(queues), max(queues)

    def score(w: int) -> float:
        prefix = p.matched(w, a.node) / max(1, len(p.path(a.node)))
        queue = (high - len(p.waiting(w))) / (high - low) if high > low else 1.0
        cache = 1 - min(1, len(p.active(w)) / p.capacity)
        return 3 * prefix + 2 * queue + 2 * cache

    return drawn(p, equals(p.up, lambda w: -score(w)))


def lmetric(p: Past, a: Arrival) -> int:
    def product(w: int) -> int:
        new = a.length - p.matched(w, a.node)
        return (sum(s.missed for s in p.waiting(w)) + new) * (p.busy(w) + 1)

    return min(p.up, key=product)


def around(workers: int, points: int, key: int, allowed: list[int]) -> int:
    """The allowed worker whose point is the nearest at or after the key's place."""
    place = SplitMix64(key).next()

    def distance(w: int) -> int:
        mine = (SplitMix64(SplitMix64(w).next() + j).next() for j in range(points))
        return min((point - place) % WHOLE for point in mine)

    return min(allowed, key=distance)


def session(p: Past, a: Arrival) -> int:
    return around(p.workers, 3, a.session, p.up)


def hash_bounded(p: Past, a: Arrival) -> int:
    key = (p.path(a.node) or [0])[:2][-1]
    room = math.ceil(Fraction(5, 4) * (len(p.flying) + 1) / len(p.up))
    return around(p.workers, 3, key, [w for w in p.up if p.busy(w) + 1 <= room])


def available(p: Past) -> list[int]:
    free = [w for w in p.up if not p.waiting(w)]
    return free or equals(p.up, lambda w: len(p.waiting(w)))


def skylb(p: Past, a: Arrival) -> int:
    return min(available(p), key=lambda w: (-p.matched_seen(w, a.node), p.busy(w)))


def skylb_hash(p: Past, a: Arrival) -> int:
    return around(p.workers, 3, a.session, available(p))


RULES: dict[str, Rule] = {
    "least_outstanding": least_outstanding,
    "jsq": jsq,
    "random": random,
    "longest_prefix": longest_prefix,
    "cache_aware": cache_aware,
    "cache_aware:absolute=1:threshold=0.3": lambda p, a: cache_aware(p, a, 1, 0.3),
    "preble": preble,
    "preble:window=20:imbalance=1.5": lambda p, a: preble(p, a, 20, 1.5),
    "dynamo": dynamo,
    "dynamo:weight=2.5": lambda p, a: dynamo(p, a, 2.5),
    "llmd": llmd,
    "lmetric": lmetric,
    "session:points=3": session,
    "hash_bounded:points=3:prefix=2": hash_bounded,
    "skylb": skylb,
    "skylb:by=hash:points=3": skylb_hash,
}


def compare(make: Callable[[View], Router], rule: Rule, seed: int) -> int:
    """Drive a router and its rule through one random history; how many of its choices were compared."""
    dice = SplitMix64(seed)
    n, workers = 3 + dice.below(12), 1 + dice.below(4)
    tree = PrefixTree.from_parents([v - 1 - dice.below(min(v, 4)) for v in range(1, n + 1)])
    capacity = tree.height + dice.below(4)
    above = tree.depth.astype(np.int64)
    costs = CostModel(dice.below(2), 1 + dice.below(3), dice.below(3), attention=dice.below(2))
    view = View(tree, workers, capacity, above, costs, 1.0, seed)
    router, past = make(view), Past(tree, workers, capacity, costs, seed)
    now, compared = 0.0, 0
    for request in range(60):
        now += dice.below(5) - (8 if dice.below(12) == 0 else 0)
        node = dice.below(n + 1)
        arrival = Arrival(request, node, int(above[node]), dice.below(6), now)
        chosen = router.choose(arrival)
        assert chosen == rule(past, arrival), f"seed {seed}, request {request}"
        compared += 1
        router.on_dispatch(arrival, chosen)
        past.dispatch(arrival, chosen)
        for sent in [s for s in past.flying.values() if not s.first and dice.below(6) == 0]:
            sent.first = True
            if router.watches_first_tokens:
                router.on_first_token(sent.request, sent.worker, now)
        for sent in [s for s in past.flying.values() if s.first and dice.below(4) == 0]:
            del past.flying[sent.request]
            router.on_finish(Completion(sent.request, sent.worker, now, now - sent.now, 1.0, 0))
        if len(past.up) > 1 and dice.below(15) == 0:
            dead = past.up[dice.below(len(past.up))]
            view.up[dead] = False
            router.on_down(dead, past.down(dead), now)
        if len(past.up) < workers and dice.below(6) == 0:
            back = next(w for w in range(workers) if w not in past.up)
            past.up = sorted([*past.up, back])
            view.up[back] = True
            router.on_up(back, now)
    return compared
