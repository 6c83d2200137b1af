"""Phases by their definition, and what follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given

from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from kvtheory.policies.rlt import RLT
from kvtheory.testing.instances import Instance, all_instances, corpus, line, spider, star
from kvtheory.testing.strategies import instances, seeds


def naive_phases(instance: Instance) -> list[list[int]]:
    """Greedy: a phase is a longest stretch of requests whose paths fit the cache together."""
    phases: list[list[int]] = [[]]
    for v in instance.requests:
        nodes = {u for w in (*phases[-1], v) for u in instance.path(w)}
        if len(nodes) > instance.capacity:
            phases.append([])
        phases[-1].append(v)
    return phases


def engine_phases(instance: Instance, engine: ReferenceEngine) -> list[list[int]]:
    """A phase starts where a mark is lost."""
    phases: list[list[int]] = [[]]
    for v in instance.requests:
        before = set(engine.marked_order)
        engine.serve(v)
        if not before <= set(engine.marked_order):
            phases.append([])
        phases[-1].append(v)
    return phases


@given(instances(max_nodes=10))
def test_phases_are_the_greedy_partition(instance: Instance) -> None:
    assert engine_phases(instance, ReferenceEngine(instance.tree, instance.capacity, RLT)) == naive_phases(
        instance
    )


def test_phases_do_not_depend_on_the_policy_or_the_seed() -> None:
    for seed, instance in enumerate(corpus()):
        for policy in (RLT, Marking, LeafLRU):
            engine = ReferenceEngine(instance.tree, instance.capacity, policy, seed)
            assert engine_phases(instance, engine) == naive_phases(instance)


@given(instances(max_nodes=10), seeds())
def test_rlt_never_evicts_what_was_requested_in_this_phase(instance: Instance, seed: int) -> None:
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT, seed)
    for v in instance.requests:
        _, victims = engine.serve(v)
        assert not set(victims) & set(engine.marked_order)


@given(instances(max_nodes=10), seeds())
def test_rlt_misses_each_node_at_most_once_in_a_phase(instance: Instance, seed: int) -> None:
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT, seed)
    for phase in naive_phases(instance):
        misses = sum(engine.depth[v] - engine.depth[engine.serve(v)[0]] for v in phase)
        assert misses <= len({u for v in phase for u in instance.path(v)})


@given(instances(max_nodes=12))
def test_marking_is_lru_victim_for_victim(instance: Instance) -> None:
    one = ReferenceEngine(instance.tree, instance.capacity, Marking).run(instance.requests)
    assert one == ReferenceEngine(instance.tree, instance.capacity, LeafLRU).run(instance.requests)


def test_marking_is_lru_on_every_short_sequence() -> None:
    for instance in all_instances(3, 6):
        marking = replay(instance.trace, instance.capacity, Marking, victims=True)
        lru = replay(instance.trace, instance.capacity, LeafLRU, victims=True)
        assert marking.victims.tolist() == lru.victims.tolist()


@pytest.mark.parametrize(
    ("instance", "count"),
    [
        (Instance(star(4), 3, (1, 2, 3, 4) * 3), 4),  # k distinct leaves each
        (Instance(star(4), 3, (1, 1, 1, 1)), 1),
        (Instance(line(3), 3, (1, 2, 3, 3, 1)), 1),
        (
            Instance(spider(2, 4), 7, (4, 8) * 6),
            12,
        ),  # two chains of 4 in 7: every request ends a phase, not full
        (Instance(star(2), 1, ()), 1),
    ],
)
def test_known_partitions(instance: Instance, count: int) -> None:
    assert len(naive_phases(instance)) == count
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT)
    assert engine_phases(instance, engine) == naive_phases(instance)
