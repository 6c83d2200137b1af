"""Marking with predictions: what carries over from flat caches to trees, and what does not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import ceil

import numpy as np

from kvtheory.advice.oracle import Advice, truth
from kvtheory.advice.predictor import NEVER
from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.offline.belady import belady
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.predictive_marker import PredictiveMarker
from kvtheory.testing.chances import TooManyStates
from kvtheory.testing.instances import Instance, all_trees, requestable, spider
from kvtheory.width import harmonic, width
from proofs_check.advice import told, wrong_advice
from proofs_check.chains import all_phases, worst_phase
from proofs_check.instances import misses, random_instances
from proofs_check.phases import account, phases, requested
from proofs_check.theorem import Kind, Row, Size, Theorem


def phase_bound(leaves: int) -> Fraction:
    """Expected misses of a phase for each node that it requests and its first cache lacks."""
    return ceil(harmonic(leaves)) + harmonic(leaves)


def three_chains(length: int, rounds: int) -> tuple[Instance, Advice]:
    """Two chains by turns while a third, of no use, is said to return and they are not."""
    a, b, c = length, 2 * length, 3 * length - 1
    requests = (c, *([a, b] * rounds))
    instance = Instance(spider(3, length), 2 * length - 1, requests)
    true = truth(instance.trace)
    nodes = np.array([u for v in requests for u in instance.path(v)])
    return instance, Advice(true.start, np.where(nodes > b, NEVER - 1, NEVER))


def perfectly_advised(size: Size) -> Iterator[Instance]:
    """Every short sequence on small trees, and long ones on eight leaves or four chains of two."""
    for n in range(2, size["nodes"]):
        for parents, capacity in itertools.product(all_trees(n), range(1, n)):
            for requests in itertools.product(requestable(parents, capacity), repeat=size["length"]):
                yield Instance(parents, capacity, requests)
    for seed in range(size["drawn"]):
        parents = spider(8 - 4 * (seed % 2), 1 + seed % 2)
        tips = [v for v in range(1, 9) if v not in parents or seed % 4 == 3]
        chosen = np.random.default_rng(seed).choice(tips, 80)
        yield Instance(parents, 7, tuple(int(v) for v in chosen))


def check(size: Size) -> Iterator[Row]:
    """Exact expectations under wrong advice, perfect advice on every short sequence, and the three chains."""
    for trusted in range(3):
        excess, cases = Fraction(-9), 0
        for n in range(2, size["nodes"] + 1):
            for parents, capacity in itertools.product(all_trees(n), range(1, n)):
                for length in range(1, capacity + 1):
                    for start, requests, c, m in all_phases(parents, capacity, length):
                        paid = worst_phase(parents, capacity, start, requests, trusted)
                        excess = max(excess, paid - c * (trusted + harmonic(m)))
                        cases += 1
        what = f"worst choices, {trusted} a chain, every phase: largest E[misses] - c ({trusted} + H_m)"
        yield Row(what, excess, "<=", 0, cases)
    excess, cases = Fraction(-1), 0
    for seed, instance in enumerate(random_instances(60_000, size["drawn"], nodes=7, length=16)):
        for advice in wrong_advice(instance, seed):
            try:
                excess = max(excess, account(instance, told(PredictiveMarker, advice), phase_bound)[2])
                cases += 1
            except TooManyStates:
                continue
    what = "wrong advice: largest E[misses in a phase | S] - c (ceil(H_m) + H_m)"
    yield Row(what, excess, "<=", 0, cases)
    loss, full, cases = -99, -99, 0
    for instance in perfectly_advised(size):
        policy = told(PredictiveMarker, truth(instance.trace))
        engine = ObjectReference(instance.tree, instance.capacity, policy)
        missed = instance.misses(engine.run(instance.requests)[0])
        least = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        loss = max(loss, missed - 3 * least)
        if all(len(requested(instance, some)) == instance.capacity for some in phases(instance)[:-1]):
            full = max(full, missed - 2 * least)
        cases += 1
    yield Row("perfect advice: largest misses - 3 OPT", loss, "<=", 0, cases)
    yield Row("perfect advice, phases that fill the cache: largest misses - 2 OPT", full, "<=", 0, cases)
    rounds = 20
    for length in range(2, size["chains"] + 1):
        instance, advice = three_chains(length, rounds)
        engine = ObjectReference(instance.tree, instance.capacity, told(PredictiveMarker, advice))
        found = instance.misses(engine.run(instance.requests)[0])
        where = f"three chains of {length}, k={instance.capacity}, {rounds} rounds: misses"
        yield Row(where, found, "==", length - 1 + 2 * rounds * length, 1)
        best = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        lru = misses(instance.trace, replay(instance.trace, instance.capacity, LeafLRU).hit)
        yield Row(f"{where} of OPT", best, "==", 3 * length - 1 + 2 * rounds - 2, 1)
        yield Row(f"{where} of leaf-LRU", lru, "==", best, 1)
        yield Row(f"{where}: W", width(instance.tree, instance.capacity).W, "==", 3, 1)


THEOREM = Theorem(
    statement="A phase that begins with m leaves cached costs predictive marker at most c (ceil(H_m) + "
    "H_m) in expectation, c the requested nodes not cached then, whatever is predicted. With perfect "
    "predictions it misses at most 3 OPT, and 2 OPT if every phase but the last fills the cache. With "
    "wrong ones it can cost (k+1)/2 times OPT for ever where W = 3.",
    kind=Kind.PROVED,
    covers=(7, 8),
    where="docs/theory/advice.rst",
    sizes={"drawn": (40, 300, 2000), "nodes": (4, 4, 5), "length": (5, 6, 6), "chains": (4, 8, 16)},
    scope="{drawn} random instances under six predictions each; all sequences of {length} requests on all "
    "trees of at most {nodes} nodes; chains of up to {chains} nodes",
    check=check,
)
