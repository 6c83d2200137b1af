"""Partition: exact ratios on stars, and the policy's draws against what the paper's sets say of them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from kvtheory.engine.exact import _next_script
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.model import PrefixTree
from kvtheory.offline.belady import belady
from kvtheory.policies.partition import Partition, PartitionPager
from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.rng import SplitMix64
from kvtheory.testing.chances import Script, advance, certain, expected_misses
from kvtheory.testing.instances import Instance, SmallOptimum, star
from kvtheory.testing.subject import Subject
from kvtheory.width import harmonic, width

State = tuple[tuple[tuple[int, int], ...], int, int]
"""Size of S_i and of R_i for the sets below the top, oldest first; size of the top; pages outside."""


def held(state: State, level: int) -> Fraction:
    """How likely a page of S_level is held: it has to get into every R from there on."""
    chance, before = Fraction(1), state[0][level - 1][1] if level else 0
    for size, limit in state[0][level:]:
        chance *= Fraction(limit, before + size)
        before = limit
    return chance


def ask(state: State, level: int, capacity: int) -> State:
    """The sets after a request for a page of S_level; of a page outside for level -1."""
    sets, top, outside = list(state[0]), state[1], state[2]
    if level < 0:
        return settle([*sets, (top, capacity - 1)], 1, outside - 1)
    sets[level] = sets[level][0] - 1, sets[level][1]
    return settle(sets[:level] + [(size, limit - 1) for size, limit in sets[level:]], top + 1, outside)


def settle(sets: list[tuple[int, int]], top: int, outside: int) -> State:
    """Sets of which nothing is held go outside; a uniform subset of a uniform subset is one."""
    while any(limit == 0 for _, limit in sets):
        outside += sets.pop(0)[0]
    kept: list[tuple[int, int]] = []
    for size, limit in sets:
        if kept and size == 0:
            kept[-1] = kept[-1][0], limit
        else:
            kept.append((size, limit))
    return tuple(kept), top, outside


def game(capacity: int, leaves: int):
    """Every reachable state of a star, and what each request costs Partition and OPT."""
    number: dict[State, int] = {((), capacity, leaves - capacity): 0}
    found, target, alg, opt = list(number), [], [], []
    for state in found:
        row = [[-1, Fraction(0), 0] for _ in range(leaves + 2)]
        for level in range(-1 if state[2] else 0, len(state[0])):
            if level >= 0 and state[0][level][0] == 0:
                continue
            after = ask(state, level, capacity)
            if after not in number:
                number[after] = len(found)
                found.append(after)
            cost = Fraction(1) if level < 0 else 1 - held(state, level)
            row[level + 1] = [number[after], cost, int(level < 0)]
        target.append([to for to, _, _ in row])
        alg.append([cost for _, cost, _ in row])
        opt.append([paid for _, _, paid in row])
    return target, alg, opt


@pytest.mark.parametrize(
    ("capacity", "leaves"), [(1, 2), (2, 3), (2, 5), (3, 4), (3, 6), (4, 5), (4, 7), (5, 6)]
)
def test_partition_is_exactly_harmonic_on_stars(capacity: int, leaves: int) -> None:
    """Over all sequences; no randomised algorithm does better where there are k + 1 leaves."""
    target, alg, opt = game(capacity, leaves)
    scale = math.lcm(*(cost.denominator for row in alg for cost in row))
    whole = np.array([[int(cost * scale) for cost in row] for row in alg], dtype=object)
    best = maximum_cycle_ratio(np.array(target, np.int32), whole, np.array(opt, dtype=object))
    assert best.ratio / scale == harmonic(capacity)


def named_sets(requests: tuple[int, ...], capacity: int) -> tuple[dict[int, Fraction], int]:
    """How likely each page is held in the end, and how often OPT had to fault, by sets of names."""
    sets: list[tuple[set[int], int]] = []
    top, faults = set[int](), 0
    for v in requests:
        level = next((i for i, (pages, _) in enumerate(sets) if v in pages), -1)
        if v in top:
            continue
        if level < 0:
            faults += 1
            if len(top) + (sets[-1][1] if sets else 0) < capacity:
                top.add(v)
                continue
            sets, top = [*sets, (top, capacity - 1)], {v}
        else:
            sets = sets[:level] + [(pages - {v}, limit - 1) for pages, limit in sets[level:]]
            top = top | {v}
        empty = [i for i, (_, limit) in enumerate(sets) if limit == 0]
        sets = sets[empty[-1] + 1 :] if empty else sets
    sizes: State = tuple((len(pages), limit) for pages, limit in sets), len(top), 0
    chances = dict.fromkeys(top, Fraction(1))
    for i, (pages, _) in enumerate(sets):
        chances |= dict.fromkeys(pages, held(sizes, i))
    return chances, faults


def every_draw(requests: tuple[int, ...], capacity: int) -> dict[int, Fraction]:
    """How likely each page is held in the end, by drawing everything that can be drawn."""
    found: dict[int, Fraction] = {}
    script: list[int] | None = []
    while script is not None:
        pager, dice = PartitionPager(capacity), Script(script)
        for v in requests:
            pager.serve([v], dice)
        share = Fraction(1, math.prod(dice.bounds))
        for v in {*requests}:
            found[v] = found.get(v, Fraction(0)) + share * (v in pager)
        script = _next_script(script, dice.bounds)
    return {v: chance for v, chance in found.items() if chance}


def flat_cases(count: int) -> list[tuple[tuple[int, ...], int]]:
    """Requests for up to six pages, and a capacity."""
    dice = SplitMix64(4)
    sizes = [(4 + dice.below(8), 3 + dice.below(4), 1 + dice.below(4)) for _ in range(count)]
    return [(tuple(1 + dice.below(pages) for _ in range(length)), k) for length, pages, k in sizes]


def test_pages_are_held_as_likely_as_the_sets_say() -> None:
    compared = 0
    for requests, capacity in flat_cases(150):
        chances, _ = named_sets(requests, capacity)
        assert every_draw(requests, capacity) == chances, (requests, capacity)
        compared += any(chance < 1 for chance in chances.values())
    assert compared > 20


def test_a_page_outside_is_a_fault_of_opt() -> None:
    for requests, capacity in flat_cases(150):
        trace = Instance(star(7), capacity, requests).trace
        assert named_sets(requests, capacity)[1] == int((belady(trace, capacity).hit == 0).sum())


def test_the_policy_on_a_star_is_the_pager() -> None:
    """In expectation, all draws taken in turn: nothing is lost where every node is a leaf."""
    for requests, capacity in flat_cases(40):
        instance = Instance(star(7), capacity, requests)
        expected = sum(
            1 - named_sets(requests[:t], capacity)[0].get(v, Fraction(0)) for t, v in enumerate(requests)
        )
        assert expected_misses(Subject(Partition).start(instance), requests, limit=4000) == expected


def test_on_a_tree_it_can_exceed_the_harmonic_number_of_the_width() -> None:
    """5/3 of OPT in every round of a cycle, where the best randomised algorithm has 3/2."""
    parents, capacity, cycle = (0, 0, 0, 1), 3, (3, 2, 4, 1, 3, 3, 4, 4, 3, 4)
    tree = PrefixTree.from_parents(parents)
    engine = ObjectReference(tree, capacity, Partition)
    belief, optimum, paid = certain(engine), SmallOptimum(parents, capacity), []
    work = optimum.start
    for _ in range(3):
        expected, least = Fraction(0), 0
        for v in cycle:
            belief, misses = advance(engine, belief, v)
            work, grown = optimum.step(work, v)
            expected, least = expected + misses, least + grown
        paid.append((expected, least))
    assert paid[1:] == [(Fraction(10, 3), 2)] * 2
    assert harmonic(width(tree, capacity).W - 1) == Fraction(3, 2)
