"""One request, exactly: from a canonical policy state to every state it can lead to, with its chance.

The reference engine serves the request; here its state is written down so that two caches which behave alike
for ever are the same state, and every draw is taken in turn. A state has one label per node 0..n:
`(cached, columns in the order of declaration, marked, age)`, where

- ORDER columns hold ranks: all their values together, smallest positive value 1, next 2, ..., zero stays 0;
- `marked` is there only under PHASES, and a policy that reads it without declaring PHASES is refused;
- `age` (order of insertion among nodes of one depth) is there only if some eviction is decided by it.

The request index that hooks see is larger than every value present. Every request is served twice, with the
ranks as they are and stretched over larger integers: a policy that reads more from them than their order is
refused, because its ratio would be certified and wrong.
"""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy, Trait

Label = tuple[int, ...]
PolicyState = tuple[Label, ...]
Served = tuple[int, list[tuple[PolicyState, Fraction]]]


class AgeNeeded(Exception):  # noqa: N818 - a request to start again, not a fault
    """An eviction was decided by the order of insertion, which the states do not hold."""


class ExactEngine:
    """Canonical states of a cache of `capacity` nodes over `tree` under `policy`, and their transitions.

    Args:
        tree: the prefixes.
        capacity: nodes the cache holds, at least 1.
        policy: a policy whose columns each are ORDER or have a finite range.
        aged: whether states hold the order of insertion.

    Raises:
        InputError: if a column is neither ORDER nor of finite range.
    """

    def __init__(self, tree: PrefixTree, capacity: int, policy: type[Policy], *, aged: bool = False) -> None:
        for name, column in policy.columns.items():
            if not column.order and (column.low is None or column.high is None):
                raise InputError(
                    f"{policy.name}: column '{name}' is not ORDER and declares no finite range: "
                    "its exact states are infinitely many",
                    field="policy",
                )
        self.policy, self.aged = policy, aged
        self.phases = Trait.PHASES in policy.traits
        self.ordered = [i for i, column in enumerate(policy.columns.values(), 1) if column.order]
        self._cache = _Scripted(tree, capacity, policy, aged=aged)
        width = 1 + len(policy.columns) + self.phases + aged
        self.start: PolicyState = ((0,) * width,) * (tree.n + 1)
        self._served: dict[tuple[PolicyState, int], Served] = {}

    def serve(self, state: PolicyState, v: int) -> Served:
        """Serve node `v`: the misses, and every state that may follow with its chance, none twice.

        Raises:
            PolicyError: if the policy breaks a trait, leaves a column's range, or reads more than the order
                of an ORDER column.
            AgeNeeded: if the order of insertion decides an eviction and the engine is not `aged`.
        """
        known = self._served.get((state, v))
        if known is None:
            known = self._serve(state, v, stretch=False)
            if self._serve(state, v, stretch=True) != known:
                raise PolicyError(
                    f"{self.policy.name}: reads more from a column or the request index than ORDER allows"
                )
            self._served[state, v] = known
        return known

    def cached(self, state: PolicyState) -> int:
        """The cached nodes of a state, as a bitmask: bit v - 1 for node v."""
        return sum(1 << v - 1 for v, label in enumerate(state) if label[0])

    def _serve(self, state: PolicyState, v: int, *, stretch: bool) -> Served:
        cache, misses = self._cache, 0
        after: dict[PolicyState, Fraction] = {}
        script: list[int] | None = []
        while script is not None:
            self._place(state, stretch)
            cache.script, cache.bounds, cache.chance = script, [], Fraction(1)
            try:
                hit, _ = cache.serve(v)
            except AttributeError as error:
                raise PolicyError(f"{self.policy.name}: reads '{error.name}' without declaring it") from error
            misses = cache.depth[v] - cache.depth[hit]
            reached = self._read()
            after[reached] = after.get(reached, Fraction(0)) + cache.chance
            script = _next_script(script, cache.bounds)
        return misses, sorted(after.items())

    def _place(self, state: PolicyState, stretch: bool) -> None:
        """Put the reference engine into a state."""
        cache = self._cache
        columns: dict[str, list[int]] = {}
        largest = 0
        for i, name in enumerate(self.policy.columns, 1):
            values = [label[i] for label in state]
            if i in self.ordered:
                if stretch:
                    values = [_stretched(value) for value in values]
                largest = max(largest, *values)
            columns[name] = values
        if self.phases:
            at = 1 + len(self.policy.columns)
            columns["marked"] = [label[at] for label in state]
            cache.marked_order = [v for v, label in enumerate(state) if label[at]]
        cache.columns = SimpleNamespace(**columns)
        cache.time = largest + (4 if stretch else 1)
        cache.cached = {v for v, label in enumerate(state) if label[0]}
        cache.cached_children = [0] * len(state)
        for v in cache.cached:
            cache.cached_children[cache.parent[v]] += 1
        cache.inserted_at = {v: state[v][-1] if self.aged else 0 for v in cache.cached}
        cache.insertions = len(state)
        cache.candidates = []
        if self.policy.weight is not None:
            for v in sorted(cache.cached):
                cache.join(v)

    def _read(self) -> PolicyState:
        """The state the reference engine is in."""
        cache = self._cache
        columns = [getattr(cache.columns, name) for name in self.policy.columns]
        ranks = _ranks([value for i in self.ordered for value in columns[i - 1]])
        for i, (name, column) in enumerate(self.policy.columns.items()):
            if column.order:
                columns[i] = [ranks[value] for value in columns[i]]
                continue
            values = [columns[i][v] for v in cache.cached]
            if min(values) < (column.low or 0) or max(values) > (column.high or 0):
                raise PolicyError(f"{self.policy.name}: column '{name}' left its declared range")
        if self.phases:
            columns.append(cache.columns.marked)
        if self.aged:
            columns.append(self._ages())
        held = [1 if v in cache.cached else 0 for v in range(len(cache.parent))]
        return tuple(zip(held, *columns, strict=True))

    def _ages(self) -> list[int]:
        """Order of insertion among cached nodes of the same depth, from 1; 0 for the others."""
        cache = self._cache
        ages, seen = [0] * len(cache.parent), [0] * len(cache.parent)
        for v in sorted(cache.cached, key=lambda u: cache.inserted_at[u]):
            seen[cache.depth[v]] += 1
            ages[v] = seen[cache.depth[v]]
        return ages


class _Scripted(ReferenceEngine):
    """The reference engine with draws that follow a script, and ties that are noticed."""

    def __init__(self, tree: PrefixTree, capacity: int, policy: type[Policy], *, aged: bool) -> None:
        super().__init__(tree, capacity, policy)
        self.aged = aged
        self.script: list[int] = []
        self.bounds: list[int] = []
        self.chance = Fraction(1)
        if Trait.PHASES not in policy.traits:
            self._advance_phase = lambda path: None  # type: ignore[method-assign]

    def join(self, v: int) -> None:
        self._join(v)

    def _draw(self, pinned: int) -> int:
        weight = self.policy.weight
        weights = {u: int(weight(self.columns, u)) for u in self.candidates}
        if Trait.FULL in self.policy.traits:
            if not any(weights.values()):
                self._end_full_phase(pinned)
                weights = {u: int(weight(self.columns, u)) for u in self.candidates}
            if any(weights[u] and self.columns.marked[u] for u in weights):
                raise PolicyError(f"{self.policy.name}: declares FULL, but gives weight to a marked node")
        self._check_weight_traits(pinned, list(weights.values()))
        free = sorted(u for u in weights if weights[u])
        if not free or min(weights.values()) < 0:
            raise PolicyError(f"{self.policy.name}: no candidate of positive weight")
        at = len(self.bounds)
        self.bounds.append(len(free))
        victim = free[self.script[at] if at < len(self.script) else 0]
        self.chance *= Fraction(weights[victim], sum(weights.values()))
        self._leave(victim)
        return victim

    def _smallest_rank(self, pinned: int) -> int:
        rank = self.policy.rank
        leaves = self.leaves(pinned)
        orders: list[Any] = [(rank(self.columns, u), -self.depth[u]) for u in leaves]
        least = min(orders)
        if not self.aged and orders.count(least) > 1:
            raise AgeNeeded
        return leaves[orders.index(least)]


def _next_script(script: list[int], bounds: list[int]) -> list[int] | None:
    """The next sequence of draws in lexicographic order, or None after the last."""
    script = script + [0] * (len(bounds) - len(script))
    while script and script[-1] + 1 == bounds[len(script) - 1]:
        script.pop()
    if not script:
        return None
    script[-1] += 1
    return script


def _ranks(values: list[int]) -> dict[int, int]:
    """Positive values to 1, 2, ... and negative ones to -1, -2, ..., in order; 0 stays."""
    distinct = sorted(set(values))
    below = sum(1 for value in distinct if value < 0)
    zero = 1 if 0 in distinct else 0
    return {value: i - below + (0 if value <= 0 else 1 - zero) for i, value in enumerate(distinct)}


def _stretched(rank: int) -> int:
    """An increasing function of ranks that keeps 0 and no other arithmetic."""
    return 7 * rank + rank * rank * rank % 5
