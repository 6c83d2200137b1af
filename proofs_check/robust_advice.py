"""Advice with RLT to fall back on: optimal where the advice is right, bounded where it is not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kvtheory.advice.oracle import truth
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.hedge import Hedge
from kvtheory.offline.belady import belady
from kvtheory.policies.robust_advice import RobustAdvice
from kvtheory.testing.instances import Instance, all_trees, fitting
from proofs_check.advice import told, wrong_advice, wrong_in_all
from proofs_check.exhaustive import Optima
from proofs_check.instances import misses, random_instances
from proofs_check.theorem import Kind, Row, Size, Theorem


def long_instances(count: int, length: int) -> Iterator[Instance]:
    """Small trees, and requests with stretches in which a few nodes take turns."""
    for seed, short in enumerate(random_instances(70_000, count, nodes=8, length=8)):
        rng = np.random.default_rng(seed)
        requests: list[int] = []
        while len(requests) < length:
            some = rng.integers(1, len(short.parents) + 1, int(rng.integers(2, 5))).tolist()
            requests += some * int(rng.integers(1, 12))
        k = min(short.capacity, 3)
        yield Instance(short.parents, k, fitting(short.parents, requests, k))


def check(size: Size) -> Iterator[Row]:
    """Perfect advice on every short sequence; wrong advice on long ones, where the hedge turns."""
    dear = turned = cases = 0
    for n in range(2, size["nodes"] + 1):
        for parents in all_trees(n):
            for capacity in range(1, n):
                for requests, least in Optima(parents, capacity).sequences(size["length"]):
                    instance = Instance(parents, capacity, requests)
                    engine = ObjectReference(
                        instance.tree, capacity, told(RobustAdvice, truth(instance.trace))
                    )
                    dear += instance.misses(engine.run(requests)[0]) != least
                    assert isinstance(engine.mind, Hedge)
                    turned += engine.mind.switches
                    cases += 1
    yield Row("perfect advice, all sequences: not optimal", dear, "==", 0, cases)
    yield Row("perfect advice, all sequences: turns away from it", turned, "==", 0, cases)
    early = over_led = over_safe = over_opt = switches = cases = 0
    for seed, instance in enumerate(long_instances(size["drawn"], size["requests"])):
        k, least = instance.capacity, misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        for advice in wrong_advice(instance, seed):
            engine = ObjectReference(instance.tree, k, told(RobustAdvice, advice), seed)
            missed = instance.misses(engine.run(instance.requests)[0])
            hedge = engine.mind
            assert isinstance(hedge, Hedge)
            alone = ObjectReference(instance.tree, k, hedge.leader)
            wrong = wrong_in_all(instance, alone.run(instance.requests)[1])
            early += wrong < k and (hedge.switches > 0 or missed > least + wrong)
            over_led += missed > 3 * hedge.led.misses + k
            over_safe += missed > 3 * hedge.safe.misses + 4 * k
            over_opt += missed > 3 * (least + wrong) + k
            switches += hedge.switches
            cases += 1
    yield Row(
        "wrong advice: turns, or loses more than it errs, with fewer than k errors", early, "==", 0, cases
    )
    yield Row("wrong advice: more than 3 times blind oracle's misses + k", over_led, "==", 0, cases)
    yield Row("wrong advice: more than 3 (OPT + wrong evictions) + k", over_opt, "==", 0, cases)
    yield Row(
        "wrong advice: more than 3 times RLT's misses in the same draws + 4 k", over_safe, "==", 0, cases
    )
    yield Row("turns from one to the other", switches, ">=", cases // 10, cases)


THEOREM = Theorem(
    statement="Blind oracle with RLT to fall back on, let e be the wrong evictions of blind oracle: misses "
    "at most OPT + e if e < k, and never turns; always at most 3 (OPT + e) + k, and at most 3 times RLT's "
    "misses and 4k, for every outcome of its draws. So it is optimal with perfect predictions, and (12 "
    "H_w + 4)-competitive with any.",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/advice.rst",
    sizes={"nodes": (4, 4, 5), "length": (4, 6, 6), "drawn": (30, 200, 1500), "requests": (150, 200, 300)},
    scope="all sequences of {length} requests on all trees of at most {nodes} nodes; {drawn} random "
    "instances of {requests} requests under six predictions each",
    check=check,
)
