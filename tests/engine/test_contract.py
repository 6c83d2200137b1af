"""Every registered policy, and every probe, is held to the whole contract."""

from __future__ import annotations

import pytest

from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError, PolicyError
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import Policy, Trait
from kvtheory.registry import every_policy
from kvtheory.rng import SplitMix64
from kvtheory.testing.clauses.compiled import weaker_traits
from kvtheory.testing.contract import CHECKS, Check, contract_of, run_contract
from kvtheory.testing.instances import Instance, fitting, random_instance, star
from kvtheory.testing.object_probes import OBJECT_PROBES
from kvtheory.testing.probes import PROBES
from kvtheory.testing.subject import Subject, without

EVERY_POLICY = {**every_policy(), **PROBES, **OBJECT_PROBES}
CASES = [
    pytest.param(policy, check, id=f"{policy.name}-{check}")
    for policy in EVERY_POLICY.values()
    for check in contract_of(policy)
]


@pytest.mark.parametrize(("policy", "check"), CASES)
def test_contract(policy: type[Policy], check: Check) -> None:
    check.verify(Subject(policy))


def test_a_plugin_needs_one_line() -> None:
    passed = run_contract(LeafLRU, examples=2)
    assert passed == [name for name, check in CHECKS.items() if check.columns and not check.randomised]


@pytest.mark.parametrize("policy", EVERY_POLICY.values(), ids=EVERY_POLICY)
def test_long_traces(policy: type[Policy]) -> None:
    """Hits long enough for the lazy heap to be compacted, then evictions that need what it kept."""
    dice = SplitMix64(7)
    parents = tuple(dice.below(v) if dice.below(4) else 0 for v in range(1, 121))
    mixed = [1 + dice.below(120) for _ in range(800)]
    leaves = sorted(set(range(1, 121)) - set(parents))[:5]
    popular = [leaves[dice.below(5)] for _ in range(2500)]
    requests = fitting(parents, mixed + popular + mixed[::-1] + popular + mixed, 20)
    instance = Instance(parents, 20, requests)
    judge = policy
    for kept in (policy.traits, *weaker_traits(policy)):
        if policy.randomised() and kept != policy.traits:
            judge = without(policy, Trait.BINARY)
        hits, victims = Subject(judge).run(instance, 3)
        found = replay(instance.trace, 20, judge, 3, victims=True, traits=kept)
        assert found.hit.tolist() == hits
        assert found.victims.tolist() == [u for some in victims for u in some]


@pytest.mark.parametrize("policy", EVERY_POLICY.values(), ids=EVERY_POLICY)
def test_a_cache_of_the_whole_tree_misses_each_node_once(policy: type[Policy]) -> None:
    for seed in range(10):
        drawn = random_instance(seed)
        instance = Instance(drawn.parents, len(drawn.parents), drawn.requests)
        found = replay(instance.trace, instance.capacity, policy)
        assert found.evictions == 0
        asked = {u for v in instance.requests for u in instance.path(v)}
        assert instance.misses(found.hit.tolist()) == len(asked)


@pytest.mark.parametrize("policy", EVERY_POLICY.values(), ids=EVERY_POLICY)
def test_uncut_traces_are_refused(policy: type[Policy]) -> None:
    with pytest.raises(InputError, match="cut the trace first"):
        replay(Instance((0, 1), 1, (2,)).trace, 1, policy)


class Refuses(Policy):
    """Gives no leaf any weight."""

    name = "refuses"

    @staticmethod
    def weight(s: object, v: int) -> int:
        return 0


class Subtracts(Policy):
    """Gives leaves negative weight."""

    name = "subtracts"

    @staticmethod
    def weight(s: object, v: int) -> int:
        return 1 - 2 * (v % 2)


@pytest.mark.parametrize(
    ("policy", "traits"), [(Refuses, Trait.NONE), (Refuses, Trait.BINARY), (Subtracts, Trait.NONE)]
)
def test_a_policy_that_leaves_no_candidate_is_an_error_in_both_engines(
    policy: type[Policy], traits: Trait
) -> None:
    instance = Instance(star(4), 3, (1, 2, 3, 4))
    with pytest.raises(PolicyError, match="no candidate of positive weight in request 3"):
        Subject(policy).run(instance)
    with pytest.raises(PolicyError, match="no candidate of positive weight in request 3"):
        replay(instance.trace, 3, policy, traits=traits)
