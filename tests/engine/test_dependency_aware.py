"""Bucketing and Recursive LRU, against simulations of their own that know buckets and recursion literally."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import PolicyError
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy, Trait
from kvtheory.ratio.game import exact_ratio, play
from kvtheory.ratio.instance import Instance as Game
from kvtheory.registry import policies
from kvtheory.testing.chances import expected_misses
from kvtheory.testing.instances import Instance, all_instances, all_trees, random_instance, star
from kvtheory.testing.mutants.policies import FalseFull
from kvtheory.width import harmonic, width

BUCKETING, RLT, LRU = (policies()[name] for name in ("bucketing", "rlt", "lru"))


def bucketing_by_buckets(instance: Instance) -> Fraction:
    """Expected misses of Bucketing, node by node, with buckets that are sets of nodes."""
    paths = [frozenset(instance.path(v)) for v in range(len(instance.parents) + 1)]
    beliefs: dict[tuple[frozenset[int], frozenset[frozenset[int]]], Fraction] = {
        (frozenset(), frozenset()): Fraction(1)
    }
    total = Fraction(0)
    for v in instance.requests:
        for w in instance.path(v):
            after: dict[tuple[frozenset[int], frozenset[frozenset[int]]], Fraction] = {}
            for (cache, buckets), chance in beliefs.items():
                total += chance * (w not in cache)
                for state, share in _fetch(cache, buckets, w, paths, instance.capacity):
                    after[state] = after.get(state, Fraction(0)) + chance * share
            beliefs = after
    return total


def _fetch(cache, buckets, w, paths, capacity):
    buckets = _open(bucket - paths[w] for bucket in buckets)
    if w in cache or len(cache) < capacity:
        return [((cache | {w}, buckets), Fraction(1))]
    if not buckets:
        maximal = [x for x in cache if all(x not in paths[y] for y in cache - {x})]
        buckets = _open(paths[x] - paths[w] for x in maximal)
    found = []
    for bucket in buckets:
        victim = max(bucket, key=lambda u: len(paths[u]))
        left = _open(other - {victim} for other in buckets)
        found.append((((cache - {victim}) | {w}, left), Fraction(1, len(buckets))))
    return found


def _open(buckets):
    kept = {frozenset(bucket) for bucket in buckets if bucket}
    return frozenset(bucket for bucket in kept if not any(bucket < other for other in kept))


@pytest.mark.parametrize("seed", range(60))
def test_bucketing_is_what_its_buckets_do(seed):
    instance = random_instance(seed, max_nodes=7, max_requests=9)
    engine = ReferenceEngine(instance.tree, instance.capacity, BUCKETING)
    assert expected_misses(engine, instance.requests, limit=4000) == bucketing_by_buckets(instance)


def test_bucketing_is_what_its_buckets_do_on_every_short_sequence():
    for instance in all_instances(4, 4):
        engine = ReferenceEngine(instance.tree, instance.capacity, BUCKETING)
        assert expected_misses(engine, instance.requests) == bucketing_by_buckets(instance)


def test_node_by_node_bucketing_draws_the_same_victims():
    """The step of the proof that replaces a request by requests for the nodes of its path."""
    for seed in range(40):
        instance = random_instance(seed)
        single = tuple(u for v in instance.requests for u in instance.path(v))
        whole = ReferenceEngine(instance.tree, instance.capacity, BUCKETING)
        steps = ReferenceEngine(instance.tree, instance.capacity, BUCKETING)
        if len(single) <= 14:
            expected = expected_misses(whole, instance.requests, limit=4000)
            assert expected == expected_misses(steps, single, limit=4000)


EVERY_GAME = [(n, tree, k) for n in range(2, 6) for tree in all_trees(n) for k in range(2, n)]


@pytest.mark.parametrize(("n", "tree", "capacity"), EVERY_GAME)
def test_exact_ratios_on_every_small_tree(n, tree, capacity):
    """Bucketing keeps its bound with a whole unit to spare, and equals RLT; n = 6 was checked as well."""
    game = Game.of(PrefixTree.from_parents(tree), capacity)
    found, rlt = exact_ratio(game, BUCKETING), exact_ratio(game, RLT)
    widths = width(game.tree, capacity)
    assert found.ratio is not None
    assert harmonic(widths.W - 1) <= found.ratio <= max(1, 2 * harmonic(widths.w) - 1)
    assert found.ratio == rlt.ratio


@pytest.mark.parametrize(("leaves", "capacity"), [(3, 2), (4, 2), (4, 3), (5, 3), (5, 4)])
def test_on_stars_bucketing_is_rlt(leaves, capacity):
    for seed in range(5):
        requests = tuple(1 + (7 * i * i + seed * i) % leaves for i in range(40))
        instance = Instance(star(leaves), capacity, requests)
        assert replay(instance.trace, capacity, BUCKETING, seed, victims=True).victims.tolist() == (
            replay(instance.trace, capacity, RLT, seed, victims=True).victims.tolist()
        )


def test_one_sequence_can_favour_either():
    tree, capacity = (0, 0, 0, 1, 2), 3
    for requests, rlt, bucketing in (
        ((1, 3, 5, 4, 2), Fraction(45, 8), Fraction(11, 2)),
        ((1, 3, 5, 4, 3), Fraction(51, 8), Fraction(13, 2)),
    ):
        instance = Instance(tree, capacity, requests)
        for policy, expected in ((RLT, rlt), (BUCKETING, bucketing)):
            assert expected_misses(ReferenceEngine(instance.tree, capacity, policy), requests) == expected


def test_bucketing_beats_rlt_on_seven_nodes():
    game = Game.of(PrefixTree.from_parents((0, 0, 0, 1, 1, 2, 2)), 4)
    rlt = play(game, RLT, budget=300, convexity=False).result()
    assert exact_ratio(game, BUCKETING).ratio == Fraction(149, 60) < Fraction(199, 80) == rlt.lower


def test_bucketing_too_can_lose_to_lru():
    for tree, capacity, ratio in (
        ((0, 1, 0, 3, 0, 5), 4, Fraction(5, 2)),
        ((0, 1, 1, 0, 4, 0), 3, Fraction(25, 12)),
    ):
        game = Game.of(PrefixTree.from_parents(tree), capacity)
        assert exact_ratio(game, BUCKETING).ratio == ratio > exact_ratio(game, LRU).ratio == 2


def test_full_is_for_weights_and_needs_phases():
    for traits, hook in ((Trait.FULL, "weight"), (Trait.FULL | Trait.PHASES, "rank")):
        body = {"name": "x", "traits": traits, hook: staticmethod(lambda s, v: 1)}
        with pytest.raises(PolicyError, match="FULL is for weights and needs PHASES"):
            type("X", (Policy,), body)


THREE = Instance(star(3), 2, (1, 2, 3))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: ReferenceEngine(THREE.tree, 2, FalseFull, 1).run(THREE.requests),
        lambda: replay(THREE.trace, 2, FalseFull, 1),
        lambda: exact_ratio(Game.of(THREE.tree, 2), FalseFull),
    ],
    ids=["reference", "kernel", "exact"],
)
def test_drawing_marked_nodes_under_full_is_an_error_in_every_engine(attempt):
    with pytest.raises(PolicyError, match="declares FULL, but gives weight to a marked node"):
        attempt()


def recursive_victims(instance: Instance, *, tips: bool) -> list[int]:
    """Victims of the recursion, spelled out; with `tips`, a request uses only the node that it names."""
    parent = (0, *instance.parents)
    use: dict[int, int] = {}
    victims = []
    for t, v in enumerate(instance.requests, start=1):
        path = instance.path(v)
        for u in path:
            if u not in use or u == v or not tips:
                use[u] = t
        while len(use) > instance.capacity:
            x = min((u for u in use if u not in path), key=lambda u: use[u])
            while below := [u for u in use if parent[u] == x]:
                x = min(below, key=lambda u: use[u])
            del use[x]
            victims.append(x)
    return victims


def test_recursive_lru_is_leaf_lru_victim_for_victim():
    drawn = [random_instance(seed) for seed in range(300)]
    for instance in (*all_instances(4, 5), *drawn):
        expected = recursive_victims(instance, tips=False)
        for name in ("recursive_lru", "lru"):
            _, victims = ReferenceEngine(instance.tree, instance.capacity, policies()[name]).run(
                instance.requests
            )
            assert [u for some in victims for u in some] == expected, (name, instance)


@pytest.mark.parametrize("rounds", [10, 1000])
def test_were_only_tips_used_the_recursion_would_have_no_finite_ratio(rounds):
    hub, other, stale = 1, 2, 3
    a, b, c, d = 4, 5, 6, 7
    tree = (0, 0, 0, hub, hub, other, other)
    requests = (a, c, stale, *(b, d, a, c) * rounds)
    assert len(recursive_victims(Instance(tree, 6, requests), tips=False)) == 3
    assert len(recursive_victims(Instance(tree, 6, requests), tips=True)) >= rounds
