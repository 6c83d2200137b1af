"""Belady on trees against brute force, against flat Belady on the expansion, and against its own witness."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from kvtheory.offline.witness import check_schedule
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.lru import LeafLRU
from kvtheory.rng import SplitMix64
from kvtheory.testing.contract import OPTIMUM_CHECKS, Check
from kvtheory.testing.instances import (
    Instance,
    SmallOptimum,
    all_instances,
    all_trees,
    fitting,
    requestable,
    star,
)
from kvtheory.testing.mutants.optima import plain_belady
from kvtheory.testing.strategies import instances
from kvtheory.testing.subject import Subject


def misses(instance: Instance, *, bypass: bool = False) -> int:
    return instance.misses(belady(instance.trace, instance.capacity, bypass=bypass).hit.tolist())


def expansion(instance: Instance) -> list[int]:
    """Request v with path r1..rd as the flat pages r1..rd, rd..r1."""
    pages: list[int] = []
    for v in instance.requests:
        path = instance.path(v)
        pages += path + path[::-1]
    return pages


def flat_belady(pages: list[int], capacity: int) -> int:
    """Farthest in future, looked up in the future each time."""
    cached: set[int] = set()
    faults = 0
    for i, page in enumerate(pages):
        if page in cached:
            continue
        faults += 1
        if len(cached) == capacity:
            future = pages[i + 1 :]
            cached.remove(max(cached, key=lambda p: future.index(p) if p in future else len(future)))
        cached.add(page)
    return faults


def flat_lru(pages: list[int], capacity: int) -> tuple[int, list[int]]:
    """Faults and victims of least recently used."""
    cached: list[int] = []
    faults, victims = 0, []
    for page in pages:
        if page in cached:
            cached.remove(page)
        else:
            faults += 1
            if len(cached) == capacity:
                victims.append(cached.pop(0))
        cached.append(page)
    return faults, victims


@pytest.mark.parametrize("check", OPTIMUM_CHECKS.values(), ids=OPTIMUM_CHECKS)
def test_optimum(check: Check) -> None:
    check.verify(Subject(LeafLRU))


def test_brute_and_belady_on_every_short_sequence_over_every_small_tree() -> None:
    for n, length in ((1, 3), (2, 4), (3, 4), (4, 3)):
        for parents in all_trees(n):
            for capacity in range(1, n + 1):
                nodes = requestable(parents, capacity)
                for requests in itertools.product(nodes, repeat=length):
                    instance = Instance(parents, capacity, requests)
                    for bypass in (False, True):
                        least = brute(instance.tree, requests, capacity, bypass=bypass)
                        assert misses(instance, bypass=bypass) == least, (instance, bypass)


def test_work_functions_and_belady_on_every_longer_sequence() -> None:
    known: dict[tuple[tuple[int, ...], int], SmallOptimum] = {}
    for instance in itertools.chain(all_instances(3, 7), all_instances(4, 5)):
        key = (instance.parents, instance.capacity)
        optimum = known[key] if key in known else known.setdefault(key, SmallOptimum(*key))
        work, least = optimum.start, 0
        for v in instance.requests:
            work, grown = optimum.step(work, v)
            least += grown
        assert misses(instance) == least, instance


@given(instances(max_nodes=9, max_requests=24))
def test_work_functions_and_belady_on_larger_instances(instance: Instance) -> None:
    optimum = SmallOptimum(instance.parents, instance.capacity)
    work, least = optimum.start, 0
    for v in instance.requests:
        work, grown = optimum.step(work, v)
        least += grown
    assert misses(instance) == least


@given(instances(max_nodes=12, max_requests=40))
def test_belady_on_the_tree_is_flat_belady_on_the_expansion(instance: Instance) -> None:
    assert misses(instance) == flat_belady(expansion(instance), instance.capacity)


@given(instances(max_nodes=12, max_requests=40))
def test_leaf_lru_is_flat_lru_on_the_expansion_victim_for_victim(instance: Instance) -> None:
    found = replay(instance.trace, instance.capacity, LeafLRU, victims=True)
    faults, victims = flat_lru(expansion(instance), instance.capacity)
    assert instance.misses(found.hit.tolist()) == faults
    assert found.victims.tolist() == victims


@given(instances(max_nodes=12, max_requests=40))
def test_bypass_never_costs_and_witnesses_replay(instance: Instance) -> None:
    parent = (-1, *instance.parents)
    costs = []
    for bypass in (False, True):
        schedule = belady(instance.trace, instance.capacity, bypass=bypass, witness=True)
        ends = schedule.offsets.tolist()
        steps = [schedule.victims[a:b].tolist() for a, b in itertools.pairwise(ends)]
        told = instance.misses(schedule.hit.tolist())
        assert check_schedule(parent, instance.requests, instance.capacity, steps, bypass=bypass) == told
        assert told == misses(instance, bypass=bypass)
        costs.append(told)
    assert costs[1] <= costs[0]


def test_the_smallest_case_where_bypass_helps() -> None:
    instance = Instance(star(2), 1, (1, 2, 1))
    assert (misses(instance), misses(instance, bypass=True)) == (3, 2)
    assert brute(instance.tree, instance.requests, 1) == 3
    assert brute(instance.tree, instance.requests, 1, bypass=True) == 2


def test_there_is_no_smaller_case_where_bypass_helps() -> None:
    for length in (1, 2):
        for instance in all_instances(4, length):
            assert misses(instance) == misses(instance, bypass=True)


@given(instances(max_nodes=10, max_requests=40))
def test_reversal_changes_nothing(instance: Instance) -> None:
    """OPT of flat paging is symmetric in time, the expansion is a palindrome block by block."""
    backwards = Instance(instance.parents, instance.capacity, instance.requests[::-1])
    assert misses(instance) == misses(backwards)


@given(instances(max_nodes=10, max_requests=30))
def test_more_capacity_never_costs(instance: Instance) -> None:
    larger = Instance(instance.parents, instance.capacity + 1, instance.requests)
    assert misses(larger) <= misses(instance)


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("nodes", [3, 40, 200])
def test_long_traces_cross_every_word_of_the_bitmap(nodes: int, bypass: bool) -> None:
    dice = SplitMix64(nodes)
    parents = tuple(dice.below(v) for v in range(1, nodes + 1))
    capacity = max(2, nodes // 4)
    requests = fitting(parents, [1 + dice.below(nodes) for _ in range(6000)], capacity)
    instance = Instance(parents, capacity, requests)
    plain = plain_belady(instance.trace, capacity, bypass=bypass)
    assert misses(instance, bypass=bypass) == instance.misses(plain.hit.tolist())


def test_a_never_repeated_future_of_64_to_the_third_requests() -> None:
    leaves = 64**3 + 10
    requests = (*range(1, leaves + 1), *range(1, 6))
    instance = Instance(star(leaves), 4, requests)
    assert misses(instance) == leaves + 5 - 3  # three of the first leaves wait to the end


def test_lfu_is_unbounded() -> None:
    for n in (2, 10, 50):
        instance = Instance(star(3), 2, (1,) * n + (2, 3) * (n // 2))
        found = replay(instance.trace, 2, LeafLFU)
        assert instance.misses(found.hit.tolist()) == n + 1
        assert misses(instance) == 3


def test_uncut_traces_are_refused() -> None:
    with pytest.raises(InputError, match="cut the trace first"):
        belady(Instance((0, 1), 1, (2,)).trace, 1)
    with pytest.raises(InputError, match="longer than the capacity"):
        brute(Instance((0, 1), 1, (2,)).tree, (2,), 1)
    with pytest.raises(InputError, match="brute force stops at 16"):
        brute(Instance(star(17), 1, ()).tree, (), 1)


def test_empty_traces_and_empty_prompts_cost_nothing() -> None:
    for instance in (Instance((), 1, ()), Instance((), 1, (0, 0)), Instance((0,), 1, (0,))):
        for bypass in (False, True):
            assert misses(instance, bypass=bypass) == 0
