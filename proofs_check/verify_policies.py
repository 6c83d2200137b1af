"""Certificates of a policy: lru, fifo, mru, marking, rlt, random by their rules; any other by its automaton.

A *position* is the policy's distribution over its states together with OPT's work function.

Lemma (cycle). Let `prefix` lead from the empty cache to a position and `cycle` from it back to it, and let
the policy pay A on the cycle and OPT's work function grow by B > 0. Then no r < A / B is a competitive
ratio: after the cycle is repeated n times the policy has paid at least n A and OPT at most n B plus a
constant. With B = 0 and A > 0 no r is.

Lemma (potentials). Let every position carry a number phi such that every request costs cost - rho *
increase of OPT + phi(after) <= phi(before). Summed along any sequence from the empty cache, cost <= rho *
OPT + (largest difference of two phi). Where too many positions are reachable, `cover` names anchors:
distributions over the policy's states. What a request makes of an anchor is a mixture of anchors, and gets
the mixture of their phi; costs are linear in the distribution, so the sum telescopes all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from proofs_check.verify_rules import (
    Malformed,
    Rejected,
    Tree,
    WorkFunctions,
    integers,
    lists,
    rational,
    rationals,
    require_keys,
)

State = Any  # of a policy: hashable, comparable
Distribution = tuple[tuple[State, Fraction], ...]
Position = tuple[Distribution, tuple[int, ...]]
Outcome = tuple[Fraction, dict[State, Fraction]]  # misses, and the chance of every state after the request


class Ranked:
    """lru, fifo, mru, marking: evict the leaf of smallest key.

    A state is (cached nodes with the rank of their stamp, marked nodes). The stamp of a node is its last use,
    for fifo its insertion; ranks 1, 2, ... keep the order of stamps. Marks are kept for marking alone.
    """

    def __init__(self, tree: Tree, name: str) -> None:
        self.tree, self.name = tree, name
        self.start: State = ((), 0)

    def serve(self, state: State, v: int) -> Outcome:
        tree, (stamped, marks) = self.tree, state
        stamp, now = dict(stamped), len(stamped) + 1
        if self.name == "marking":
            marks = marked_after(tree, marks, v)
        path = [u for u in range(1, v + 1) if tree.path[v] >> u & 1]
        misses = sum(u not in stamp for u in path)
        for u in path:
            if u not in stamp or self.name != "fifo":
                stamp[u] = now
        while len(stamp) > tree.capacity:
            cached = sum(1 << u for u in stamp)
            keys = {
                u: self.key(stamp[u], marks >> u & 1, tree.depth[u]) for u in tree.leaves(cached) if u != v
            }
            victim = min(keys, key=lambda u: keys[u])
            if list(keys.values()).count(keys[victim]) > 1:
                raise Rejected(f"{self.name} meets a tie that its rules do not decide")
            del stamp[victim]
        rank = {value: i for i, value in enumerate(sorted(set(stamp.values())), 1)}
        after = tuple((u, rank[stamp[u]]) for u in sorted(stamp)), marks
        return Fraction(misses), {after: Fraction(1)}

    def key(self, stamp: int, marked: int, depth: int) -> tuple[int, int, int]:
        """Marked leaves last; then by stamp, for mru the latest first; then the deepest first."""
        return marked, -stamp if self.name == "mru" else stamp, -depth


class Drawn:
    """rlt, random: evict a uniformly random leaf off the path, for rlt an unmarked one, again and again.

    A state is (cached nodes, marked nodes), both bitmasks; marks are kept for rlt alone.
    """

    def __init__(self, tree: Tree, name: str) -> None:
        self.tree, self.name = tree, name
        self.start: State = (0, 0)

    def serve(self, state: State, v: int) -> Outcome:
        tree, (cached, marks) = self.tree, state
        if self.name == "rlt":
            marks = marked_after(tree, marks, v)
        misses = (tree.path[v] & ~cached).bit_count()
        chance = {cached | tree.path[v]: Fraction(1)}
        for _ in range((cached | tree.path[v]).bit_count() - tree.capacity):
            fewer: dict[int, Fraction] = {}
            for held, p in chance.items():
                free = [u for u in tree.leaves(held) if u != v and not marks >> u & 1]
                if not free:
                    raise Rejected(f"{self.name} has no leaf to evict")
                for u in free:
                    fewer[held & ~(1 << u)] = fewer.get(held & ~(1 << u), Fraction(0)) + p / len(free)
            chance = fewer
        return Fraction(misses), {(held, marks): p for held, p in chance.items()}


def marked_after(tree: Tree, marks: int, v: int) -> int:
    """Marks with the path of v; if those would exceed the capacity, a new phase starts without marks."""
    together = marks | tree.path[v]
    return together if together.bit_count() <= tree.capacity else tree.path[v]


class Table:
    """Any other policy: the certificate carries its automaton, and proves something about that alone."""

    def __init__(self, tree: Tree, table: dict[str, Any]) -> None:
        require_keys(table, {"next", "cost"}, "automaton")
        self.next, self.cost = table["next"], table["cost"]
        self.column = {v: r for r, v in enumerate(tree.requestable)}
        self.start: State = 0
        if not isinstance(self.next, list) or not isinstance(self.cost, list) or not self.next:
            raise Malformed("automaton: next and cost are not lists")
        if len(self.next) != len(self.cost):
            raise Malformed("automaton: next and cost are not equally long")
        for row in self.next:
            integers(row, "automaton.next", 0, len(self.next) - 1, len(self.column))
        self.cost = [rationals(row, "automaton.cost", len(self.column)) for row in self.cost]
        if min(min(row) for row in self.cost) < 0:
            raise Malformed("automaton: a cost is negative")

    def serve(self, state: State, v: int) -> Outcome:
        r = self.column[v]
        return self.cost[state][r], {self.next[state][r]: Fraction(1)}


POLICIES: dict[str, Callable[[Tree, str], Any]] = {
    **dict.fromkeys(("lru", "fifo", "mru", "marking"), Ranked),
    **dict.fromkeys(("rlt", "random"), Drawn),
}


# --- the game ---------------------------------------------------------------------------------------------


class Game:
    """Positions and their edges."""

    def __init__(self, tree: Tree, policy: Any) -> None:
        self.tree, self.policy, self.opt = tree, policy, WorkFunctions(tree)
        self.start: Position = ((policy.start, Fraction(1)),), self.opt.start
        self.outcome: dict[tuple[State, int], Outcome] = {}

    def serve(self, position: Position, v: int) -> tuple[Fraction, int, Position]:
        """Expected cost of the policy, increase of OPT, and the position after a request for v."""
        belief, w = position
        cost, after = Fraction(0), dict[State, Fraction]()
        for state, chance in belief:
            if (state, v) not in self.outcome:
                self.outcome[state, v] = self.policy.serve(state, v)
            misses, reached = self.outcome[state, v]
            cost += chance * misses
            for to, p in reached.items():
                after[to] = after.get(to, Fraction(0)) + chance * p
        increase, w = self.opt.serve(w, v)
        return cost, increase, (tuple(sorted(after.items())), w)

    def check_lower(self, ratio: Fraction | None, prefix: list[int], cycle: list[int]) -> int:
        """The cycle returns to its first position, and attains the ratio; returns what OPT pays on it."""
        position = self.start
        for v in prefix:
            _, _, position = self.serve(position, v)
        first, paid, owed = position, Fraction(0), 0
        for v in cycle:
            cost, increase, position = self.serve(position, v)
            paid, owed = paid + cost, owed + increase
        if position != first:
            raise Rejected("the cycle does not return to the position in which it starts")
        if ratio is None and not (paid > 0 and owed == 0):
            raise Rejected(
                "on the cycle the policy does not pay while OPT pays nothing: not an infinite ratio"
            )
        if ratio is not None and (paid != ratio * owed or (owed == 0 and ratio != 1)):
            raise Rejected("what the policy and OPT pay on the cycle has another ratio")
        return owed

    def check_never_below_opt(self) -> None:
        """No cycle costs the policy less than OPT: no walk can save more and more (Bellman and Ford)."""
        number, order, edges = {self.start: 0}, [self.start], []
        for before, position in enumerate(order):  # grows while it is walked
            for v in self.tree.requestable:
                cost, increase, after = self.serve(position, v)
                if after not in number:
                    number[after] = len(order)
                    order.append(after)
                edges.append((before, number[after], cost - increase))
        least = [Fraction(0)] * len(order)
        for _ in order:
            changed = False
            for before, to, gain in edges:
                if least[before] + gain < least[to]:
                    least[to], changed = least[before] + gain, True
            if not changed:
                return
        raise Rejected("the automaton pays less than OPT for ever: it is no cache")

    def check_upper(self, ratio: Fraction, potential: list[Fraction], cover: Cover | None) -> tuple[int, int]:
        """Every edge satisfies the inequality; returns how many positions and edges there are.

        With a cover, a request leads to a mixture of anchors, and that has the mixture of their potentials.
        """
        number, order = {self.start: 0}, [self.start]
        for before, position in enumerate(order):  # grows while it is walked
            for v in self.tree.requestable:
                cost, increase, (belief, w) = self.serve(position, v)
                bound = cost - ratio * increase
                for part, share in (
                    cover.mixture(position[0], v, belief) if cover else [(belief, Fraction(1))]
                ):
                    if (part, w) not in number:
                        number[part, w] = len(order)
                        order.append((part, w))
                    if number[part, w] >= len(potential):
                        raise Rejected(f"{len(potential)} potentials are too few")
                    bound += share * potential[number[part, w]]
                if bound > potential[before]:
                    raise Rejected(f"position {before}, request {v}: the potentials do not prove {ratio}")
        if len(order) != len(potential):
            raise Rejected(f"{len(potential)} potentials for {len(order)} positions")
        return len(order), len(order) * len(self.tree.requestable)


class Cover:
    """Anchors: distributions of rlt or random; and for each anchor and request, shares of anchors."""

    def __init__(self, tree: Tree, found: dict[str, Any]) -> None:
        require_keys(found, {"anchors", "mixtures"}, "cover")
        anchors = [self.distribution(tree, anchor) for anchor in lists(found["anchors"], "anchors")]
        self.shares: dict[tuple[Distribution, int], list[tuple[Distribution, Fraction]]] = {}
        for anchor, row in zip(anchors, lists(found["mixtures"], "mixtures", len(anchors)), strict=True):
            for v, mixture in zip(tree.requestable, lists(row, "row", len(tree.requestable)), strict=True):
                pairs = [lists(item, "mixture", 2) for item in lists(mixture, "mixture")]
                integers([j for j, _ in pairs], "mixture", 0, len(anchors) - 1)
                self.shares[anchor, v] = [(anchors[j], rational(share, "mixture")) for j, share in pairs]

    @staticmethod
    def distribution(tree: Tree, anchor: Any) -> Distribution:
        chance: dict[State, Fraction] = {}
        for item in lists(anchor, "anchor"):
            cached, marks, p = lists(item, "anchor", 3)
            nodes = [integers(part, "anchor", 1, len(tree.parent) - 1) for part in (cached, marks)]
            chance[tuple(sum(1 << u for u in set(part)) for part in nodes)] = rational(p, "anchor")
        return tuple(sorted(chance.items()))

    def mixture(
        self, anchor: Distribution, v: int, belief: Distribution
    ) -> list[tuple[Distribution, Fraction]]:
        """What a request leads to, as shares of anchors that really make it up."""
        mixed: dict[State, Fraction] = {}
        if (anchor, v) not in self.shares:
            raise Rejected("the empty cache is no anchor")
        for part, share in self.shares[anchor, v]:
            if share <= 0 or any(p <= 0 for _, p in part) or sum(p for _, p in part) != 1:
                raise Rejected("a share is not positive, or an anchor is not a distribution")
            for state, p in part:
                mixed[state] = mixed.get(state, Fraction(0)) + share * p
        if tuple(sorted(mixed.items())) != belief:
            raise Rejected(f"request {v}: a mixture is not what follows")
        return self.shares[anchor, v]


class PolicyProof:
    """The two parts of a policy's certificate."""

    def __init__(self, tree: Tree, name: str, table: Any, lower: Any, upper: Any) -> None:
        self.cycle: tuple[list[int], list[int]] | None = None
        self.potentials: list[Fraction] | None = None
        self.cover: Cover | None = None
        if lower is not None:
            require_keys(lower, {"prefix", "cycle"}, "lower")
            for part in ("prefix", "cycle"):
                integers(lower[part], f"lower.{part}", 1, len(tree.path))
                if not set(lower[part]) <= set(tree.requestable):
                    raise Malformed(f"lower.{part}: holds nodes that may not be requested")
            if not lower["cycle"]:
                raise Malformed("lower.cycle: is empty")
            self.cycle = lower["prefix"], lower["cycle"]
        if upper is not None:
            require_keys(upper, {"potentials", "cover"}, "upper")
            self.potentials = rationals(upper["potentials"], "upper.potentials")
            self.cover = None if upper["cover"] is None else Cover(tree, upper["cover"])
        if self.cover is not None and POLICIES.get(name) is not Drawn:
            raise Malformed("upper.cover: is for policies that draw")
        self.game = Game(tree, POLICIES[name](tree, name) if table is None else Table(tree, table))

    def check(self, ratio: Fraction | None) -> dict[str, str]:
        """Both bounds, as far as they are there."""
        if self.cycle is not None:
            owed = self.game.check_lower(ratio, *self.cycle)
            if owed == 0 and ratio is not None and isinstance(self.game.policy, Table):
                self.game.check_never_below_opt()  # no cache does, but a table may be no cache
        if self.potentials is None or ratio is None:
            return {}
        positions, edges = self.game.check_upper(ratio, self.potentials, self.cover)
        return {"positions": str(positions), "edges": str(edges)}
