"""A compiled twin evicts what its object evicts, hit for hit and victim for victim."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given

from kvtheory.engine.kernel import replay
from kvtheory.engine.object_kernels import kernel_of
from kvtheory.engine.objects import replay_object
from kvtheory.errors import PolicyError
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.policies.arc import ARC
from kvtheory.registry import every_policy
from kvtheory.rng import SplitMix64
from kvtheory.sources import generate
from kvtheory.testing.contract import CHECKS
from kvtheory.testing.instances import Instance, all_instances, fitting, star
from kvtheory.testing.strategies import traces
from kvtheory.testing.subject import Subject
from kvtheory.traces import read_trace

REAL = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"
COMPILED = {
    name: policy
    for name, policy in sorted(every_policy().items())
    if issubclass(policy, ObjectPolicy) and kernel_of(policy)
}
each = pytest.mark.parametrize("policy", COMPILED.values(), ids=COMPILED)


def same(trace: Trace, capacity: int, policy: type[ObjectPolicy]) -> None:
    """The kernel and the object agree."""
    trace, _ = trace.cut(capacity)
    hit, victims = np.empty(len(trace), np.int32), np.empty(trace.accesses, np.int32)
    evictions = replay_object(trace, min(capacity, trace.tree.n + 1), policy, 0, hit, victims)
    found = replay(trace, capacity, policy, victims=True)
    assert found.hit.tolist() == hit.tolist()
    assert found.victims.tolist() == victims[:evictions].tolist()


def test_those_that_were_asked_for_have_one() -> None:
    assert {"arc", "dbl", "s3fifo", "sieve", "clock", "two_q", "lirs", "wtinylfu"} <= set(COMPILED)


@each
def test_every_small_instance(policy: type[ObjectPolicy]) -> None:
    for instance in all_instances(3, 5):
        same(instance.trace, instance.capacity, policy)


@each
@given(case=traces(max_nodes=14, max_requests=80))
def test_drawn_instances(policy: type[ObjectPolicy], case: tuple[Trace, int]) -> None:
    same(*case, policy)


@each
@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 9, 20, 45, 120])
def test_long_traces(policy: type[ObjectPolicy], capacity: int) -> None:
    """Long enough for places to run out many times, with a skew that makes ghosts return."""
    dice = SplitMix64(capacity)
    parents = tuple(dice.below(v) if dice.below(4) else 0 for v in range(1, 151))
    requests = [1 + dice.below(1 + dice.below(150)) for _ in range(1500)]
    instance = Instance(parents, capacity, fitting(parents, requests, capacity))
    same(instance.trace, capacity, policy)


@each
@pytest.mark.parametrize(
    "spec", ["gsp:groups=12,prompts=8,block=64,order=random,seed=1", "chat:sessions=60,seed=1"]
)
def test_workloads(policy: type[ObjectPolicy], spec: str) -> None:
    trace = generate(spec)
    for share in (20, 5):
        same(trace, max(1, trace.tree.n // share), policy)


@pytest.fixture(scope="module")
def real() -> Trace:
    if not REAL.exists():
        pytest.skip("the Mooncake trace is not here")
    trace = read_trace(REAL)
    return replace(trace, requests=trace.requests[:600], columns={})


@each
def test_real_requests(policy: type[ObjectPolicy], real: Trace) -> None:
    same(real, 400, policy)


def test_a_subclass_has_no_kernel_of_its_own() -> None:
    class Stubborn(ARC):
        """Never adapts, and says so by a method."""

        name = "stubborn_arc"

        def _aim(self, change: float) -> None:
            pass

    assert kernel_of(Stubborn) is None
    instance = Instance(star(6), 4, (1, 2, 1, 2, 3, 4, 5, 6, 3, 1, 2, 4, 5, 6, 3))
    same(instance.trace, 4, Stubborn)


def test_a_kernel_that_names_no_leaf_is_an_error() -> None:
    class Idle(ObjectPolicy):
        """Has a kernel that keeps no lists."""

        name = "idle"
        kernel = "kvtheory.engine.templates.list_hooks"

    assert replay(Instance(star(3), 3, (1, 2, 3)).trace, 3, Idle).hit.tolist() == [0, 0, 0]
    with pytest.raises(PolicyError, match="idle: its kernel names what may not go in request 2"):
        replay(Instance(star(3), 2, (1, 2, 3)).trace, 2, Idle)


def test_the_kernel_of_another_policy_is_caught() -> None:
    class Borrowed(ARC):
        """ARC, but for its kernel."""

        name = "borrowed"
        kernel = "kvtheory.engine.kernels.sieve"

    with pytest.raises(AssertionError):
        CHECKS["kernel"].verify(Subject(Borrowed), examples=0)


IN_ANOTHER_PROCESS = """
import json
from kvtheory.engine.codegen import load_list_kernel
from kvtheory.engine.kernel import replay
from kvtheory.engine.object_kernels import kernel_of
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
class Idle(ObjectPolicy):
    name = "idle"
    kernel = "kvtheory.engine.templates.list_hooks"
replay(Trace.from_parents([0, 0], [1, 2, 1]), 2, Idle)
stats = load_list_kernel(kernel_of(Idle)).replay.stats
print(json.dumps([sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]))
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="numba compiles nothing")
def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env={**os.environ, "KVTHEORY_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        runs.append(json.loads(done.stdout))
    assert runs == [[0, 1], [1, 0]]


def test_a_kernel_is_told_no_facts() -> None:
    with pytest.raises(PolicyError, match="Curious: reads what a kernel is not told"):
        type("Curious", (ARC,), {"name": "curious", "kernel": ARC.kernel, "reads": ("type",)})


@each
def test_compiled_code_reads_no_constant_of_the_policy(policy: type[ObjectPolicy]) -> None:
    """numba would keep the old value after an edit of the policy's file."""
    hooks = importlib.import_module(policy.kernel)
    tree = ast.parse(Path(str(hooks.__file__)).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    foreign = {
        alias.name for node in imports if node.module != "kvtheory.engine.lists" for alias in node.names
    }
    read = {
        name
        for hook in ("on_request", "on_insert", "victim", "on_evict")
        for name in getattr(vars(hooks)[hook], "py_func", vars(hooks)[hook]).__code__.co_names
    }
    assert read
    assert not read & foreign
