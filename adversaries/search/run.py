"""One search, from its method's name to a file that anybody can replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from adversaries.search.beam import beam_search
from adversaries.search.candidate import BudgetSpent, Hunt
from adversaries.search.cem import cross_entropy
from adversaries.search.hill import climb
from adversaries.search.score import Arena, Exact, Stand, file_of
from kvtheory.engine.exact import AgeNeeded
from kvtheory.errors import InputError, LimitError, VerificationError
from kvtheory.policy import INTEGER, Policy
from kvtheory.ratio.game import fraction
from kvtheory.ratio.instance import Instance
from kvtheory.registry import lookup
from kvtheory.traces import write_trace

METHODS: dict[str, Callable[[Hunt, int], None]] = {
    "hill": climb,
    "beam": beam_search,
    "cem": cross_entropy,
}
LEARNED = "learned"
EVALUATIONS = 20_000
FEW_STATES = 20_000
SEARCH_SEEDS, REPORT_SEEDS = range(16), range(16, 80)


@dataclass(frozen=True, eq=False)
class Found:
    """The worst file that a search found.

    Attributes:
        instance: tree, capacity and requestable nodes.
        policy: what was attacked.
        method, seed, evaluations: how; evaluations that were spent.
        requests: the file, nodes.
        prefix, cycle: nodes; the file is the prefix and then the cycle, repeated.
        steps: requests that were walked by the search.
        exact: misses.
        curve: (evaluations, ratio) at each improvement.
    """

    instance: Instance
    policy: type[Policy]
    method: str
    seed: int
    evaluations: int
    requests: list[int]
    prefix: list[int]
    cycle: list[int]
    steps: int
    exact: Exact
    curve: list[tuple[int, float]]

    def spread(self, evaluations: int, steps: int) -> Found:
        """The same, found with more searches than the one."""
        return replace(self, evaluations=evaluations, steps=steps)

    def to_json(self) -> dict[str, Any]:
        """The command line's contract: misses are integers or "p/q", the ratio "p/q"."""
        alg = self.exact.alg
        return {
            "alg": int(alg) if self.exact.kind == "count" else fraction(alg),
            "opt": self.exact.opt,
            "ratio": fraction(self.exact.ratio),
            "evaluations": self.evaluations,
            "kind": self.exact.kind,
            "ci95": list(self.exact.ci95) if self.exact.ci95 else None,
            "tree": list(self.instance.parents[1:]),
            "capacity": self.instance.capacity,
            "policy": self.policy.name,
            "requestable": list(self.instance.requestable),
            "dropped": list(self.instance.dropped),
            "method": self.method,
            "seed": self.seed,
            "length": len(self.requests),
            "prefix": self.prefix,
            "cycle": self.cycle,
            "steps": self.steps,
        }

    def write(self, file: str | Path) -> None:
        """Write the file: Mooncake JSONL, one token in a block."""
        stand = Stand(self.instance, self.policy)
        write_trace(stand.trace(_numbers(self.instance, self.requests)), file, "mooncake")


LONGEST = 10_000_000
"""Requests of a file: more are a workload's business."""


def search(
    instance: Instance,
    policy: type[Policy],
    method: str = "hill",
    *,
    length: int = 1000,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
) -> Found:
    """Look for the file of `length` requests with the largest ALG/OPT from the empty cache.

    Args:
        instance: tree, capacity and requestable nodes.
        policy: what is attacked.
        method: `hill`, `beam`, `cem` or `learned`.
        length: requests of the file.
        evaluations: files that may be scored; a method that walks outside files is charged one for each
            `length` requests.
        seed: of the search; the same seed finds the same file.

    Raises:
        InputError: if a number is not positive, the method is unknown, or it cannot play this policy.
        LimitError: if `beam` meets too many states before it has scored a file.
        PolicyError: if the policy breaks a promise.
        VerificationError: if a replay of the file contradicts the search.
    """
    for name, value in (("length", length), ("evaluations", evaluations)):
        if value < 1:
            raise InputError(f"{value} is not positive", field=name)
    if length > LONGEST:
        raise InputError(f"{length} is more than {LONGEST}", field="length")
    if not 0 <= seed < 2**62:
        raise InputError(f"{seed} is not between 0 and 2**62", field="seed")
    if method == LEARNED:
        found = _learned(instance, policy, length, evaluations, seed)
    else:
        run = lookup(METHODS, method, "search method")
        try:
            hunt = _hunted(instance, policy, run, length, evaluations, seed, aged=False)
        except AgeNeeded:
            hunt = _hunted(instance, policy, run, length, evaluations, seed, aged=True)
        found = _result(hunt, instance, policy, method, seed)
    check(found)
    return found


def _hunted(
    instance: Instance,
    policy: type[Policy],
    run: Callable[[Hunt, int], None],
    length: int,
    evaluations: int,
    seed: int,
    *,
    aged: bool,
) -> Hunt:
    """A finished search, in tables where they stay small or the method needs them, else by replay."""
    endless = INTEGER in policy.columns.values()
    if run is beam_search or not endless:
        try:
            limit = {} if run is beam_search else {"most": FEW_STATES}
            hunt = Hunt(Arena(instance, policy, aged=aged, **limit), length, evaluations)
            _spend(hunt, run, seed)
            return hunt
        except (LimitError, InputError):
            if run is beam_search:
                raise
    hunt = Hunt(Stand(instance, policy, SEARCH_SEEDS, REPORT_SEEDS), length, evaluations)
    _spend(hunt, run, seed)
    return hunt


def _spend(hunt: Hunt, run: Callable[[Hunt, int], None], seed: int) -> None:
    try:
        run(hunt, seed)
    except BudgetSpent:
        pass
    except LimitError:
        if run is not beam_search or (not hunt.prefix and list(hunt.cycle) == [0]):
            raise  # all that was scored is the file that beam begins with


def _result(hunt: Hunt, instance: Instance, policy: type[Policy], method: str, seed: int) -> Found:
    judge = hunt.judge
    steps = judge.steps
    numbers = file_of(hunt.prefix, hunt.cycle, hunt.length)
    exact = judge.exact(numbers)
    nodes = instance.requestable
    requests, prefix, cycle = ([nodes[r] for r in part] for part in (numbers, hunt.prefix, hunt.cycle))
    return Found(
        instance, policy, method, seed, hunt.spent, requests, prefix, cycle, steps, exact, hunt.curve
    )


def _learned(instance: Instance, policy: type[Policy], length: int, evaluations: int, seed: int) -> Found:
    from adversaries import learned

    if len(instance.requestable) + len(instance.dropped) < instance.tree.n:
        raise InputError("learned asks for every node that fits", field="requestable")
    requests = learned.search(
        instance.tree, instance.capacity, policy, length=length, evaluations=evaluations, seed=seed
    )
    numbers = _numbers(instance, requests)
    try:
        exact = Arena(instance, policy).exact(numbers)
    except AgeNeeded:
        exact = Arena(instance, policy, aged=True).exact(numbers)
    steps = evaluations * length
    return Found(instance, policy, LEARNED, seed, evaluations, requests, requests, [], steps, exact, [])


def _numbers(instance: Instance, nodes: Sequence[int]) -> list[int]:
    number = {v: r for r, v in enumerate(instance.requestable)}
    return [number[v] for v in nodes]


def check(found: Found) -> None:
    """Replay the file with other code: Belady for OPT, the compiled kernel for a policy that does not draw.

    Raises:
        VerificationError: if they disagree with the search.
    """
    stand = Stand(found.instance, found.policy)
    trace = stand.trace(_numbers(found.instance, found.requests))
    if stand.opt(trace) != found.exact.opt:
        raise VerificationError(f"OPT is {stand.opt(trace)} by Belady, {found.exact.opt} by work functions")
    if not found.policy.randomised() and Fraction(stand.misses(trace, 0)) != found.exact.alg:
        raise VerificationError(f"{found.policy.name}: the kernel and the tables count different misses")
