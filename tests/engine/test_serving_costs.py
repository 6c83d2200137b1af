"""GDSF, PGDSF, Marconi and vLLM's queue, each against the few plain lines that its page describes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from kvtheory.engine.kernel import replay
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marconi import TENTHS, TRIAL, Marconi
from kvtheory.policies.vllm_queue import VLLMQueue
from kvtheory.registry import every_policy
from kvtheory.testing.instances import Instance, all_instances, random_instance
from kvtheory.testing.subject import Subject

HIDDEN, INTERMEDIATE, LAYERS, KEYS, BLOCK = 4096, 14336, 32, 1024, 16
Choose = Callable[[set[int]], int]


class Plain:
    """A cache that is a set, told what is requested, inserted and evicted."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.cached, self.time = instance, set[int](), 0

    def run(self) -> list[list[int]]:
        found = []
        for v in self.instance.requests:
            self.time += 1
            path = self.instance.path(v)
            hits = [u for u in path if u in self.cached]
            self.cached.update(path)
            self.request(path, hits)
            victims: list[int] = []
            while len(self.cached) > self.instance.capacity:
                inner = {self.instance.parents[u - 1] for u in self.cached}
                victims.append(self.choose(self.cached - inner - set(path)))
                self.cached.remove(victims[-1])
                self.evicted(victims[-1])
            found.append(victims)
        return found

    def request(self, path: list[int], hits: list[int]) -> None: ...
    def evicted(self, v: int) -> None: ...
    def choose(self, leaves: set[int]) -> int: ...  # type: ignore[empty-body]


def prefill(cached: int, blocks: int) -> int:
    """Operations of the whole model for blocks behind cached ones; half a pair at the diagonal."""
    weights = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KEYS + 3 * HIDDEN * INTERMEDIATE
    first, last = cached * BLOCK, (cached + blocks) * BLOCK
    return LAYERS * (2 * weights * (last - first) + 4 * HIDDEN * (last**2 - first**2) // 2)


UNIT = LAYERS * 4 * HIDDEN * BLOCK * BLOCK // 2
"""Operations in a unit of the policies' costs."""


class PlainGDSF(Plain):
    def __init__(self, instance):
        super().__init__(instance)
        self.count, self.value, self.last, self.clock = {}, {}, {}, Fraction(0)

    def request(self, path, hits):
        for u in path:
            self.count[u] = self.count.get(u, 0) + 1
            cost = Fraction(prefill(self.instance.depth[u] - 1, 1), UNIT)
            self.value[u], self.last[u] = self.clock + self.count[u] * cost, self.time

    def choose(self, leaves):
        return min(leaves, key=lambda u: (self.value[u], self.last[u], -self.instance.depth[u]))

    def evicted(self, v):
        self.clock = max(self.clock, self.value[v])
        del self.count[v]


class PlainPGDSF(PlainGDSF):
    def __init__(self, instance):
        super().__init__(instance)
        self.bills, self.gone = {}, []

    def request(self, path, hits):
        missed = len(path) - len(hits)
        for u in path:
            self.count[u] = self.count.get(u, 0) + 1
            if u not in hits:
                self.gone = [w for w in self.gone if w != u]
                bill = Fraction(prefill(len(hits), missed), UNIT * missed)
                self.bills[u] = [*self.bills.get(u, []), bill]
            worth = self.count[u] * sum(self.bills[u]) / len(self.bills[u])
            self.value[u], self.last[u] = self.clock + worth.__floor__(), self.time

    def evicted(self, v):
        self.clock = max(self.clock, self.value[v])
        self.gone.append(v)
        if len(self.gone) > self.instance.capacity:
            lost = self.gone.pop(0)
            del self.count[lost], self.bills[lost]


class PlainMarconi(Plain):
    """Recency and efficiency of every cached node, scaled; alpha as a number."""

    def __init__(self, instance, alpha):
        super().__init__(instance)
        self.alpha, self.last = alpha, {}

    def request(self, path, hits):
        self.last.update(dict.fromkeys(path, self.time))

    def choose(self, leaves):
        depth = self.instance.depth
        saved = {u: Fraction(prefill(0, depth[u]), depth[u] * BLOCK * 2 * KEYS * 2) for u in self.cached}
        when = {u: Fraction(self.last[u]) for u in self.cached}

        def score(u):
            worth = scaled(when, u) + self.alpha * scaled(saved, u)
            return worth, self.last[u], -depth[u]

        return min(leaves, key=score)


def scaled(values, u):
    low, high = min(values.values()), max(values.values())
    return (values[u] - low) / (high - low) if high > low else Fraction(0)


INSTANCES = [random_instance(seed, max_nodes=12, max_requests=60) for seed in range(120)]


@pytest.mark.parametrize(("name", "plain"), [("gdsf", PlainGDSF), ("pgdsf", PlainPGDSF)])
def test_greedy_dual_policies_are_their_plain_lines(name, plain):
    for instance in INSTANCES:
        assert Subject(every_policy()[name]).run(instance)[1] == plain(instance).run(), instance


class Decided(Marconi):
    """Marconi after a trial that chose 1/2."""

    name = "decided"

    def __init__(self, capacity, rng):
        super().__init__(capacity, rng)
        self.alpha, self.until = 5, 0


def test_marconi_is_its_plain_lines():
    """With the true counts of operations and bytes: scaled, they leave the depth and nothing else."""
    differs = 0
    for instance in INSTANCES:
        victims = Subject(Decided).run(instance)[1]
        assert victims == PlainMarconi(instance, Fraction(1, 2)).run(), instance
        differs += victims != PlainMarconi(instance, 0).run()
    assert differs >= 10


def test_marconi_tries_what_it_has_seen():
    """From the first eviction on it waits 5 times as long again, then takes the best alpha of that time."""
    chosen = set()
    for seed in range(60):
        instance = random_instance(seed, max_nodes=10, max_requests=120)
        victims = PlainMarconi(instance, 0).run()
        first = next((t for t, some in enumerate(victims, start=1) if some), len(victims))
        trial = first * (1 + TRIAL)
        engine = Subject(Marconi).start(instance)
        found = engine.run(instance.requests)[1]
        assert found[:trial] == victims[:trial]
        if trial < len(found):
            seen = Instance(instance.parents, instance.capacity, instance.requests[:trial])
            misses = [sum(map(len, PlainMarconi(seen, Fraction(tenths, 10)).run())) for tenths in TENTHS]
            assert engine.mind.alpha == TENTHS[misses.index(min(misses))]
            chosen.add(engine.mind.alpha)
    assert len(chosen) > 1


def free_queue(instance: Instance) -> list[list[int]]:
    """vLLM's blocks with their hashes in a list, and no word of leaves."""
    queue, cached, found = list[int](), set[int](), []
    for v in instance.requests:
        path = instance.path(v)
        queue = [u for u in queue if u not in path]
        excess = max(0, len(cached | set(path)) - instance.capacity)
        victims, queue = queue[:excess], queue[excess:]
        cached = (cached | set(path)) - set(victims)
        queue += path[::-1]
        found.append(victims)
    return found


def test_the_head_of_the_free_queue_is_leaf_lrus_victim():
    """Every sequence of 5 requests on every tree of 4 nodes, and longer ones."""
    instances = [*all_instances(4, 5), *INSTANCES]
    for instance in instances:
        assert free_queue(instance) == Subject(LeafLRU).run(instance)[1], instance
    for instance in (*instances[:: len(instances) // 500], *INSTANCES):
        found = replay(instance.trace, instance.capacity, VLLMQueue, victims=True)
        assert found.victims.tolist() == [u for some in free_queue(instance) for u in some]
