"""How bad a request sequence is: misses of the policy and of OPT, from the empty cache.

Two judges with one interface. :class:`Arena` walks through tables: the exact expectation of a policy that
draws, as floats while searching and as fractions for what is reported. :class:`Stand` is for trees whose
tables would be too large: it replays, a policy that draws with the same seeds for every candidate, and OPT is
Belady's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np

from adversaries.search.expectation import expected_misses, least_misses
from adversaries.search.tables import MOST_STATES, UNKNOWN, PolicyTable, WorkTable
from adversaries.search.walk import DONE, OPT, Positions, Tables, expand, file_score
from kvtheory.engine.kernel import replay
from kvtheory.model import IntArray, Trace
from kvtheory.offline.belady import belady
from kvtheory.policy import Policy
from kvtheory.ratio.empirical import ratio_interval
from kvtheory.ratio.instance import Instance


@dataclass(frozen=True)
class Score:
    """Misses of a policy and of OPT on one file.

    Attributes:
        alg: of the policy, expected if it draws; a float that guides the search.
        opt: of OPT.
    """

    alg: float
    opt: int

    @property
    def ratio(self) -> float:
        """The quotient."""
        return self.alg / self.opt


@dataclass(frozen=True)
class Exact:
    """What is reported of a file.

    Attributes:
        alg: misses of the policy.
        opt: of OPT, exact.
        kind: what `alg` is: `count` and `expectation` are exact; `expectation, rounded down`, by less than
            1e-9, where the fraction would have more than 40 digits; `mean`, over seeds.
        ci95: of a mean, Student's t interval of the ratio.
    """

    alg: Fraction
    opt: int
    kind: Literal["count", "expectation", "expectation, rounded down", "mean"]
    ci95: tuple[float, float] | None = None

    @property
    def ratio(self) -> Fraction:
        """The quotient."""
        return self.alg / self.opt


class Judge(Protocol):
    """Scores files: a prefix, then a cycle that is repeated to fill the length, as request numbers."""

    requests: int
    steps: int

    def score(self, prefix: Sequence[int], cycle: Sequence[int], length: int) -> Score: ...
    def exact(self, requests: Sequence[int]) -> Exact: ...


def file_of(prefix: Sequence[int], cycle: Sequence[int], length: int) -> list[int]:
    """A prefix, then a cycle repeated to fill the length, which need not be a whole number of cycles."""
    times = -(-max(0, length - len(prefix)) // max(1, len(cycle)))
    return [*prefix, *list(cycle) * times][:length]


class Arena:
    """A policy against OPT in tables.

    Args:
        instance: tree, capacity and requestable nodes.
        policy: what is attacked.
        aged: whether its states hold the order of insertion.
        most: policy states it may meet.

    Attributes:
        requests: how many nodes may be requested.
        steps: requests that were walked so far.

    Raises:
        LimitError: if the tree has too many cache states.
        InputError: if the policy's states cannot be written down.
    """

    def __init__(
        self, instance: Instance, policy: type[Policy], *, aged: bool = False, most: int = MOST_STATES
    ) -> None:
        self.instance, self.policy = instance, policy
        self.requests, self.steps = len(instance.requestable), 0
        self.table, self.work = PolicyTable(instance, policy, aged=aged, most=most), WorkTable(instance)
        self.drawn = policy.randomised()
        self._status = np.zeros(4, dtype=np.int64)

    def score(self, prefix: Sequence[int], cycle: Sequence[int], length: int) -> Score:
        """Score one file; raises as :meth:`PolicyTable.explore` and :meth:`WorkTable.explore`."""
        requests = np.array([*prefix, *cycle], dtype=np.int32)
        while True:
            alg, opt = file_score(requests, len(prefix), length, self.drawn, self._tables(), self._status)
            self.steps += int(self._status[3])
            if self._status[0] == DONE:
                return Score(alg, opt)
            self._explore()

    def expand(self, beam: Positions, after: Positions) -> int:
        """Every position of a beam by every request; see :func:`adversaries.search.walk.expand`."""
        self._explore_all(beam.p[np.arange(beam.p.shape[1]) < beam.size[:, None]], beam.work)
        needed = expand(beam, self._tables(), after, self._status)
        self.steps += beam.size.size * self.requests
        return int(needed)

    def exact(self, requests: Sequence[int]) -> Exact:
        """What is reported of a file, in request numbers."""
        opt, w = 0, 0
        for r in requests:
            if self.work.next[w, r] == UNKNOWN:
                self.work.explore(w, r)
            opt, w = opt + int(self.work.increase[w, r]), int(self.work.next[w, r])
        alg = expected_misses(self.table, requests)
        if alg is not None:
            return Exact(alg, opt, "expectation" if self.drawn else "count")
        return Exact(least_misses(self.table, requests), opt, "expectation, rounded down")

    def _explore_all(self, states: IntArray, functions: IntArray) -> None:
        """Fill in all requests from these states and work functions."""
        for rows, known, explore in (
            (states, self.table.outcomes, self.table.explore),
            (functions, self.work.next, self.work.explore),
        ):
            found = np.unique(rows)
            for i, r in np.argwhere(known[found] == UNKNOWN).tolist():
                explore(int(found[i]), r)

    def _explore(self) -> None:
        kind, row, r = (int(x) for x in self._status[:3])
        if kind == OPT:
            self.work.explore(row, r)
        else:
            self.table.explore(row, r)

    def _tables(self) -> Tables:
        t, w = self.table, self.work
        return Tables(t.begin, t.outcomes, t.misses, t.to, t.chance, w.next, w.increase)


class Stand:
    """A policy against OPT by replay.

    Args:
        instance: tree, capacity and requestable nodes.
        policy: what is attacked.
        seeds: of a policy that draws, the same for every candidate.
        fresh: seeds of what is reported, others than those to which the search has tuned its file.
    """

    def __init__(
        self, instance: Instance, policy: type[Policy], seeds: Sequence[int] = (), fresh: Sequence[int] = ()
    ) -> None:
        self.instance, self.policy = instance, policy
        self.requests, self.steps = len(instance.requestable), 0
        self.seeds = list(seeds) if policy.randomised() else [0]
        self.fresh = fresh
        self._nodes = np.array(instance.requestable, dtype=np.int32)

    def score(self, prefix: Sequence[int], cycle: Sequence[int], length: int) -> Score:
        """Score one file; raises PolicyError if the policy breaks its contract."""
        trace = self.trace(file_of(prefix, cycle, length))
        self.steps += length
        drawn = [self.misses(trace, seed) for seed in self.seeds]
        return Score(sum(drawn) / len(drawn), self.opt(trace))

    def trace(self, requests: Sequence[int]) -> Trace:
        """The file as a trace, from request numbers."""
        return Trace(self.instance.tree, self._nodes[np.array(requests, dtype=np.int64)], source="search")

    def misses(self, trace: Trace, seed: int) -> int:
        """Misses of one replay."""
        hit = replay(trace, self.instance.capacity, self.policy, seed).hit
        return trace.accesses - int(trace.tree.depth[hit].sum())

    def opt(self, trace: Trace) -> int:
        """Misses of Belady's schedule."""
        return trace.accesses - int(trace.tree.depth[belady(trace, self.instance.capacity).hit].sum())

    def exact(self, requests: Sequence[int]) -> Exact:
        """What is reported of a file, in request numbers: a count, or the mean and its interval."""
        trace = self.trace(requests)
        opt = self.opt(trace)
        if not self.policy.randomised():
            return Exact(Fraction(self.misses(trace, 0)), opt, "count")
        drawn = [self.misses(trace, seed) for seed in self.fresh]
        interval = ratio_interval(drawn, opt, randomised=True)[1]
        return Exact(Fraction(sum(drawn), len(drawn)), opt, "mean", interval)
