"""The kernel's random victims over many seeds against their exact distribution."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from scipy import stats

from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.policies.random import RandomLeaf
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy
from kvtheory.testing.chances import expected_misses, victim_chances
from kvtheory.testing.instances import Instance, broom, comb, spider, star
from kvtheory.testing.probes import RareFirst, SoftMarking

SEEDS = 4000
CASES = [
    Instance(star(4), 3, (1, 2, 3, 4, 1, 2, 3)),
    Instance(star(5), 3, (1, 2, 3, 4, 5, 1)),
    Instance(spider(3, 2), 4, (2, 4, 6, 2, 4)),
    Instance(comb(3), 4, (4, 5, 6, 3, 4)),
    Instance(broom(1, 4), 4, (2, 3, 4, 5, 2)),
]


PAIRS = [
    pytest.param(policy, instance, id=f"{policy.name}-{instance.parents}-{instance.capacity}")
    for instance in CASES
    for policy in (RLT, RandomLeaf, SoftMarking, RareFirst)
    if policy in (RLT, RandomLeaf) or instance in CASES[1::3]  # weights multiply the draws to enumerate
]


@pytest.mark.parametrize(("policy", "instance"), PAIRS)
def test_victims_of_many_seeds(policy: type[Policy], instance: Instance) -> None:
    exact = victim_chances(ReferenceEngine(instance.tree, instance.capacity, policy), instance.requests)
    assert sum(exact.values()) == 1
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(SEEDS):
        found = replay(instance.trace, instance.capacity, policy, seed, victims=True)
        seen[tuple(found.victims.tolist())] += 1
    assert set(seen) <= set(exact)
    observed, expected = [], []
    rest_seen, rest_expected = 0, Fraction(0)
    for victims, chance in exact.items():  # pool what is too rare for chi-square
        if chance * SEEDS < 8:
            rest_seen, rest_expected = rest_seen + seen[victims], rest_expected + chance
        else:
            observed.append(seen[victims])
            expected.append(float(chance * SEEDS))
    if rest_expected:
        observed.append(rest_seen)
        expected.append(float(rest_expected * SEEDS))
    if len(expected) > 1:
        assert stats.chisquare(observed, expected).pvalue > 1e-5  # seeds are fixed: this cannot flake


@pytest.mark.parametrize("instance", CASES, ids=lambda instance: f"{instance.parents}-{instance.capacity}")
def test_expected_misses_are_the_mean_over_the_distribution(instance: Instance) -> None:
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT)
    merged = expected_misses(engine, instance.requests)
    start = ReferenceEngine(instance.tree, instance.capacity, RLT)
    asked = {u for v in instance.requests for u in instance.path(v)}
    # every miss is an insertion, and what was inserted was evicted or is still there
    evicted = sum(
        chance * len(victims) for victims, chance in victim_chances(start, instance.requests).items()
    )
    assert merged - evicted <= min(instance.capacity, len(asked))
    assert merged >= len(asked)


def test_rlt_on_a_star_is_a_coupon_collector() -> None:
    """After a full phase 1..k, a clean leaf and then 1..k: misses 1/k + 1/(k-1) + ..., the lemma's H_k."""
    for k in (2, 3, 4, 5):
        requests = (*range(1, k + 1), k + 1, *range(1, k))
        engine = ReferenceEngine(Instance(star(k + 1), k, ()).tree, k, RLT)
        stale = sum((Fraction(1, i) for i in range(2, k + 1)), Fraction(0))
        assert expected_misses(engine, requests) == k + 1 + stale
