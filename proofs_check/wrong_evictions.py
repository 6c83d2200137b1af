"""OPT and the wrong evictions bound what any schedule misses, and errors of predictions bound these."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.advice.oracle import truth
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.offline.belady import belady
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.testing.instances import Instance, all_trees
from proofs_check.advice import are_wrong, told, wrong_advice, wrong_in_all
from proofs_check.exhaustive import Optima
from proofs_check.instances import leaves_of, members, misses, random_instances
from proofs_check.theorem import Kind, Row, Size, Theorem


def evictions(mask: int, path: int, instance: Instance) -> set[int]:
    """What may be left of a cache over capacity, leaf by leaf."""
    level = {mask}
    while any(left.bit_count() > instance.capacity for left in level):
        level = {
            left & ~(1 << u - 1)
            for left in level
            for u in leaves_of(left, instance.parents)
            if not path >> u - 1 & 1
        }
    return level


def worst(instance: Instance, paths: list[int]) -> dict[int, int]:
    """Over every choice of every victim: the most misses with each number of wrong evictions."""
    states = {(0, 0): 0}
    for t, v in enumerate(instance.requests):
        after: dict[tuple[int, int], int] = {}
        for (cache, wrong), missed in states.items():
            full, total = cache | paths[v], missed + (paths[v] & ~cache).bit_count()
            for left in evictions(full, paths[v], instance):
                more = are_wrong(instance, set(members(full)), t, members(full & ~left))
                key = left, wrong + more
                after[key] = max(after.get(key, 0), total)
        states = after
    most: dict[int, int] = {}
    for (_, wrong), missed in states.items():
        most[wrong] = max(most.get(wrong, 0), missed)
    return most


def check(size: Size) -> Iterator[Row]:
    """Every choice of victims on every short sequence; then blind oracle with wrong advice."""
    excess, attained, cases = -size["length"], 0, 0
    for n in range(2, size["nodes"] + 1):
        for parents in all_trees(n):
            for capacity in range(1, n):
                optima = Optima(parents, capacity)
                for requests, least in optima.sequences(size["length"]):
                    for wrong, missed in worst(Instance(parents, capacity, requests), optima.paths).items():
                        excess = max(excess, missed - least - wrong)
                        if missed == least + wrong:
                            attained = max(attained, wrong)
                    cases += 1
    yield Row("all choices of victims: largest misses - OPT - wrong evictions", excess, "==", 0, cases)
    yield Row("most wrong evictions of which each costs a miss", attained, ">=", 2, cases)
    dear, many, cases, right = 0, 0, 0, 0
    for seed, instance in enumerate(random_instances(50_000, size["drawn"], nodes=9, length=30)):
        true, deep = truth(instance.trace), max(instance.depth[v] for v in instance.requests)
        least = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        for advice in (true, *wrong_advice(instance, seed)):
            engine = ObjectReference(instance.tree, instance.capacity, told(BlindOracle, advice))
            hits, victims = engine.run(instance.requests)
            wrong, error = wrong_in_all(instance, victims), advice.error(true)
            dear += instance.misses(hits) > least + wrong
            many += wrong > (1 + deep) * error
            right += advice is true and instance.misses(hits) != least
            cases += 1
    yield Row("blind oracle: misses more than OPT + wrong evictions", dear, "==", 0, cases)
    yield Row("blind oracle: more wrong evictions than (1 + depth) * error", many, "==", 0, cases)
    yield Row("blind oracle: not optimal with perfect predictions", right, "==", 0, cases)


THEOREM = Theorem(
    statement="An eviction is wrong if its victim is requested again and Belady, from the same cache in "
    "the same request, would have kept it. Every schedule misses at most OPT and as much again as it has "
    "wrong evictions. Blind oracle has none with perfect predictions, and at most (1 + D) times the sum "
    "of all errors, D the largest depth requested.",
    kind=Kind.PROVED,
    covers=(1,),
    where="docs/theory/advice.rst",
    sizes={"nodes": (3, 4, 4), "length": (5, 5, 6), "drawn": (40, 300, 2000)},
    scope="every choice of victims on all trees of at most {nodes} nodes and all sequences of {length} "
    "requests; {drawn} random instances under seven predictions each",
    check=check,
)
