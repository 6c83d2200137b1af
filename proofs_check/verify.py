"""Checks a certificate of a competitive ratio, from the rules alone: `python -m proofs_check.verify F`.

This file imports the standard library and nothing else, and is meant to be read at one sitting. It knows the
rules of the cache, of OPT and of six policies, and derives every transition itself.

The rules. Nodes 1..n form a tree with root 0, which is free. A cache holds a closed set (with a node, its
parent) of at most `capacity` nodes. A request for v costs the nodes of its path that are missing; they are
inserted, then leaves off the path are evicted one at a time until the cache fits. OPT is the least cost of
serving the requests offline. A policy is rho-competitive if its (expected) cost is at most rho * OPT plus a
constant, on every sequence of requests.

What is checked. A *position* is the policy's distribution over its states together with OPT's work function.
- Lower bound: `prefix` leads from the empty cache to a position, `cycle` leads from it back to it, and on the
  cycle the policy pays exactly rho times what OPT pays (something, while OPT pays nothing, for rho = inf).
- Upper bound: positions are listed breadth first from the empty cache, requests ascending, and with one
  potential each every edge satisfies  cost - rho * increase of OPT + potential(after) <= potential(before).
  Summed along any sequence, cost <= rho * OPT + (largest difference of potentials). Where too many positions
  are reachable, `cover` names anchors: distributions of which all that follow are mixtures.
`claim.kind` says which of them is there: exact (both), lower, upper. The digest catches accidents alone.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

SCHEMA = "kvtheory-certificate/1"
MOST_NODES, MOST_CLOSED_SETS = 62, 1 << 11
KEYS = {"schema", "instance", "policy", "automaton", "claim", "lower", "upper", "digest"}

State = Any  # of a policy: hashable, comparable
Distribution = tuple[tuple[State, Fraction], ...]
Position = tuple[Distribution, tuple[int, ...]]


class Malformed(ValueError):  # noqa: N818 - the name says it
    """The file is not a certificate."""


class Rejected(ValueError):  # noqa: N818
    """The certificate does not prove what it claims."""


# --- the tree ---------------------------------------------------------------------------------------------


class Tree:
    """Paths and closed sets, as bitmasks: bit v stands for node v."""

    def __init__(self, parents: list[int], capacity: int, requestable: list[int]) -> None:
        self.parent, self.capacity, self.requestable = [0, *parents], capacity, requestable
        self.path = [0]
        for v in range(1, len(self.parent)):
            self.path.append(self.path[self.parent[v]] | 1 << v)
        self.depth = [path.bit_count() for path in self.path]

    def closed_sets(self) -> list[int]:
        """Every closed set of at most `capacity` nodes on requestable paths."""
        union = 0
        for v in self.requestable:
            union |= self.path[v]
        sets = [0]
        for v in range(1, len(self.parent)):
            above = self.path[self.parent[v]]
            if union >> v & 1:
                sets += [s | 1 << v for s in sets if s & above == above and s.bit_count() < self.capacity]
            if len(sets) > MOST_CLOSED_SETS:
                raise Malformed(f"more than {MOST_CLOSED_SETS} closed sets")
        return sets

    def leaves(self, cached: int) -> Iterator[int]:
        """Cached nodes without a cached child, ascending."""
        inner = 0
        for v in range(1, len(self.parent)):
            if cached >> v & 1:
                inner |= 1 << self.parent[v]
        return (v for v in range(1, len(self.parent)) if cached >> v & 1 and not inner >> v & 1)


# --- OPT --------------------------------------------------------------------------------------------------


class WorkFunctions:
    """w(S) is the least cost of serving the requests so far and ending in S.

    A node may be loaded ahead of its request, at the same cost: this makes no sequence cheaper. Hence at
    first w(S) = |S|, and a request for v gives w'(S) = min of w(X) + |S minus X| over X containing its path.
    """

    def __init__(self, tree: Tree) -> None:
        sets = tree.closed_sets()
        self.start = tuple(s.bit_count() for s in sets)
        self.moves = {}
        for v in tree.requestable:
            holding = [i for i, x in enumerate(sets) if x & tree.path[v] == tree.path[v]]
            self.moves[v] = [(holding, [(s & ~sets[i]).bit_count() for i in holding]) for s in sets]
        self.known: dict[tuple[tuple[int, ...], int], tuple[int, tuple[int, ...]]] = {}

    def serve(self, w: tuple[int, ...], v: int) -> tuple[int, tuple[int, ...]]:
        """Increase of OPT, and the next work function less its minimum."""
        if (w, v) not in self.known:
            after = [
                min(w[i] + load for i, load in zip(holding, loads, strict=True))
                for holding, loads in self.moves[v]
            ]
            least = min(after)
            self.known[w, v] = least, tuple(value - least for value in after)
        return self.known[w, v]


# --- policies ---------------------------------------------------------------------------------------------

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

    def check_lower(self, ratio: Fraction | None, prefix: list[int], cycle: list[int]) -> None:
        """The cycle returns to its first position, and attains the ratio."""
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
            raise Rejected(f"on the cycle the policy pays {paid} and OPT {owed}: not an infinite ratio")
        if ratio is not None and (paid != ratio * owed or (owed == 0 and ratio != 1)):
            raise Rejected(f"on the cycle the policy pays {paid} and OPT {owed}: not {ratio}")

    def check_upper(
        self, ratio: Fraction, potential: list[Fraction], cover: "Cover | None"
    ) -> tuple[int, int]:
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


# --- the file ---------------------------------------------------------------------------------------------


def require_keys(found: Any, keys: set[str], where: str) -> None:
    if not isinstance(found, dict) or set(found) != keys:
        raise Malformed(f"{where}: is not an object with the keys {', '.join(sorted(keys))}")


def lists(found: Any, where: str, length: int | None = None) -> list[Any]:
    if not isinstance(found, list) or (length is not None and len(found) != length):
        raise Malformed(f"{where}: is not a list of the right length")
    return found


def integers(found: Any, where: str, low: int, high: int, length: int | None = None) -> list[int]:
    if not isinstance(found, list) or not all(type(x) is int and low <= x <= high for x in found):
        raise Malformed(f"{where}: is not a list of integers {low}..{high}")
    if length is not None and len(found) != length:
        raise Malformed(f"{where}: holds {len(found)} integers, not {length}")
    return found


def rational(found: Any, where: str) -> Fraction:
    if isinstance(found, str):
        top, slash, bottom = found.partition("/")
        if slash and top.removeprefix("-").isdecimal() and bottom.isdecimal() and len(found) <= 4000:
            value = Fraction(int(top), int(bottom)) if int(bottom) else None
            if value is not None and found == f"{value.numerator}/{value.denominator}":
                return value
    raise Malformed(f"{where}: is not a rational 'p/q' in lowest terms")


def rationals(found: Any, where: str, length: int | None = None) -> list[Fraction]:
    return [rational(x, where) for x in lists(found, where, length)]


def digest(certificate: dict[str, Any]) -> str:
    """SHA-256 of the certificate without its digest, keys sorted, no spaces."""
    rest = {key: value for key, value in certificate.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_tree(instance: Any) -> Tree:
    require_keys(instance, {"parents", "capacity", "requestable"}, "instance")
    parents = integers(instance["parents"], "instance.parents", 0, MOST_NODES - 1)
    if not 1 <= len(parents) <= MOST_NODES or any(p > v for v, p in enumerate(parents)):
        raise Malformed(f"instance.parents: is not a list of 1 to {MOST_NODES} earlier nodes")
    (capacity,) = integers([instance["capacity"]], "instance.capacity", 1, 1 << 30)
    requestable = integers(instance["requestable"], "instance.requestable", 1, len(parents))
    tree = Tree(parents, capacity, requestable)
    if not requestable or requestable != sorted(set(requestable)):
        raise Malformed("instance.requestable: is empty or does not ascend")
    if max(tree.depth[v] for v in requestable) > capacity:
        raise Malformed("instance.requestable: a path is longer than the capacity")
    return tree


def verify(certificate: Any) -> dict[str, Any]:
    """Check a certificate; returns what was proved, or raises Malformed or Rejected."""
    require_keys(certificate, KEYS, "certificate")
    if certificate["schema"] != SCHEMA:
        raise Malformed(f"schema: is not {SCHEMA}")
    tree, name, table = read_tree(certificate["instance"]), certificate["policy"], certificate["automaton"]
    claim, lower, upper = certificate["claim"], certificate["lower"], certificate["upper"]
    require_keys(claim, {"ratio", "kind"}, "claim")
    if not isinstance(name, str) or (table is None) != (name in POLICIES):
        raise Malformed("automaton: is there exactly for policies that this verifier does not know itself")
    ratio = None if claim["ratio"] == "inf" else rational(claim["ratio"], "claim.ratio")
    if ratio is not None and ratio < 1:
        raise Malformed("claim.ratio: is less than 1")
    parts = {"exact": (True, ratio is not None), "lower": (True, False), "upper": (False, True)}
    if not isinstance(claim["kind"], str) or claim["kind"] not in parts:
        raise Malformed("claim.kind: is none of exact, lower, upper")
    if (lower is not None, upper is not None) != parts[claim["kind"]]:
        raise Malformed("lower, upper: are there exactly where the claim needs them")
    if ratio is None and claim["kind"] != "exact":
        raise Malformed("claim: an infinite ratio is exact")
    if lower is not None:
        require_keys(lower, {"prefix", "cycle"}, "lower")
        for part in ("prefix", "cycle"):
            integers(lower[part], f"lower.{part}", 1, len(tree.path))
            if not set(lower[part]) <= set(tree.requestable):
                raise Malformed(f"lower.{part}: holds nodes that may not be requested")
        if not lower["cycle"]:
            raise Malformed("lower.cycle: is empty")
    if upper is not None:
        require_keys(upper, {"potentials", "cover"}, "upper")
    potentials = None if upper is None else rationals(upper["potentials"], "upper.potentials")
    cover = None if upper is None or upper["cover"] is None else Cover(tree, upper["cover"])
    if cover is not None and POLICIES.get(name) is not Drawn:
        raise Malformed("upper.cover: is for policies that draw")
    policy = POLICIES[name](tree, name) if table is None else Table(tree, table)
    if certificate["digest"] != digest(certificate):
        raise Rejected("digest: the certificate was altered")
    game = Game(tree, policy)
    proved = {
        "policy": name if table is None else f"the automaton given for {name}",
        "claim": f"{claim['kind']} {claim['ratio']}",
    }
    if lower is not None:
        game.check_lower(ratio, lower["prefix"], lower["cycle"])
    if potentials is not None and ratio is not None:
        proved["positions"], proved["edges"] = map(str, game.check_upper(ratio, potentials, cover))
    return proved


def load(text: str) -> Any:
    """Parse JSON strictly: no floats, no constants, no key twice."""

    def refuse(what: str) -> Any:
        raise Malformed(f"holds {what[:40]}: numbers are integers, rationals are strings")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Malformed("an object has a key twice")
        return dict(pairs)

    try:
        return json.loads(text, parse_float=refuse, parse_constant=refuse, object_pairs_hook=unique)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("is not JSON") from error


def verify_file(path: Path) -> dict[str, Any]:
    """Check a certificate file; raises as :func:`verify`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("cannot be read as UTF-8 text") from error
    return verify(load(text))


def main(arguments: list[str]) -> int:
    """0: everything holds; 1: rejected; 2: not a certificate."""
    if len(arguments) != 1:
        print("usage: python -m proofs_check.verify FILE", file=sys.stderr)
        return 2
    try:
        print(json.dumps(verify_file(Path(arguments[0]))))
    except Malformed as error:
        print(f"malformed: {error}", file=sys.stderr)
        return 2
    except Rejected as error:
        print(f"rejected: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
