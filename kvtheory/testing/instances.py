"""Instances: a tree, a capacity and requests, small enough to print; shapes, enumerations and a corpus.

The corpus holds the sequences that the theory is about (cyclic scans, a popular past, alternating chains,
the cycles on which RLT is worst) and pseudo-random ones, the same on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory import shapes
from kvtheory.model import PrefixTree, Trace
from kvtheory.rng import SplitMix64

Parents = tuple[int, ...]


@dataclass(frozen=True)
class Instance:
    """A tree, a capacity and requests, as literals.

    Args:
        parents: the parent of node 1, 2, ...; 0 is the root.
        capacity: nodes the cache holds.
        requests: the requested nodes.
    """

    parents: Parents
    capacity: int
    requests: tuple[int, ...]

    @cached_property
    def tree(self) -> PrefixTree:
        """The tree as arrays."""
        return PrefixTree.from_parents(self.parents)

    @cached_property
    def trace(self) -> Trace:
        """The requests as a trace."""
        return Trace(self.tree, np.array(self.requests, dtype=np.int32))

    @cached_property
    def depth(self) -> list[int]:
        """Depth of every node, as plain integers."""
        return depths(self.parents)

    def path(self, v: int) -> list[int]:
        """Nodes from the root's child down to `v`."""
        path = []
        while v:
            path.append(v)
            v = self.parents[v - 1]
        return path[::-1]

    def misses(self, hits: Sequence[int]) -> int:
        """Missed nodes, from the hit of each request."""
        return sum(self.depth[v] - self.depth[int(u)] for v, u in zip(self.requests, hits, strict=True))

    def relabelled(self, number: Sequence[int]) -> Instance:
        """The same instance with node v called `number[v]`; parents must still come first."""
        parents = [0] * len(self.parents)
        for v, parent in enumerate(self.parents, start=1):
            parents[number[v] - 1] = number[parent]
        return Instance(tuple(parents), self.capacity, tuple(number[v] for v in self.requests))

    def padded(self, extra: Sequence[int]) -> Instance:
        """The same instance in a larger tree: unrequested nodes with these parents."""
        return Instance((*self.parents, *extra), self.capacity, self.requests)


def depths(parents: Sequence[int]) -> list[int]:
    """Depth of node 0, 1, 2, ..."""
    depth = [0]
    for parent in parents:
        depth.append(depth[parent] + 1)
    return depth


def fitting(parents: Sequence[int], requests: Sequence[int], capacity: int) -> tuple[int, ...]:
    """The requests, each cut to its first `capacity` nodes."""
    depth = depths(parents)
    served = []
    for request in requests:
        v = request
        while depth[v] > capacity:
            v = parents[v - 1]
        served.append(v)
    return tuple(served)


def requestable(parents: Sequence[int], capacity: int) -> list[int]:
    """Nodes whose path fits."""
    return [v for v, depth in enumerate(depths(parents)) if 1 <= depth <= capacity]


def star(leaves: int) -> Parents:
    """`leaves` children of the root."""
    return tuple(shapes.star(leaves))


def line(nodes: int) -> Parents:
    """One path."""
    return tuple(shapes.path(nodes))


def comb(spine: int) -> Parents:
    """A spine with one tooth at each of its nodes; the spine comes first."""
    return tuple(shapes.comb(spine))


def broom(handle: int, bristles: int) -> Parents:
    """A path that ends in a star."""
    return (*range(handle), *(handle,) * bristles)


def spider(legs: int, length: int) -> Parents:
    """Several paths of the same length."""
    return tuple(0 if i == 0 else leg * length + i for leg in range(legs) for i in range(length))


def binary(levels: int) -> Parents:
    """The complete binary tree with `levels` levels below the root."""
    return tuple(shapes.binary(levels))


def columns_for(count: int, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Columns for `count` requests, of some or all of `names`; they depend on nothing else.

    Times repeat now and then, and chats go on or branch off; of one number of requests in four there is no
    column, and of another one half of them.
    """
    dice, found = SplitMix64(count), dict[str, npt.NDArray[Any]]()
    for i, name in enumerate(names):
        draws = np.array([dice.below(5) for _ in range(count)], np.int64)
        if name == "timestamp":
            values: npt.NDArray[Any] = np.cumsum(draws // 2) / 4
        elif name == "chat_id":
            values = np.arange(count)
        elif name == "parent_chat_id":
            values = np.arange(count) - 1 - draws
        else:
            values = draws
        if name != "input_length" and count % 4 and (count % 4 > 1 or i % 2):
            found[name] = np.maximum(values, -1)
    return found


@cache
def all_trees(nodes: int) -> tuple[Parents, ...]:
    """Every rooted tree with `nodes` nodes besides the root, one labelling of each."""
    found: dict[str, Parents] = {}
    for parents in itertools.product(*(range(v) for v in range(1, nodes + 1))):
        found.setdefault(_shape(parents), parents)
    return tuple(found.values())


def _shape(parents: Parents) -> str:
    below: list[list[str]] = [[] for _ in range(len(parents) + 1)]
    for v in range(len(parents), 0, -1):
        below[parents[v - 1]].append("(" + "".join(sorted(below[v])) + ")")
    return "".join(sorted(below[0]))


def all_instances(nodes: int, length: int) -> Iterator[Instance]:
    """Every tree of up to `nodes` nodes, every capacity below that, every sequence of exactly `length`."""
    for n in range(1, nodes + 1):
        for parents in all_trees(n):
            for capacity in range(1, max(2, n)):
                for requests in itertools.product(requestable(parents, capacity), repeat=length):
                    yield Instance(parents, capacity, requests)


def random_instance(seed: int, max_nodes: int = 12, max_requests: int = 60) -> Instance:
    """A pseudo-random instance: a third deep, a third flat; empty prompts among the requests."""
    dice = SplitMix64(seed)
    n = 1 + dice.below(max_nodes)
    style = seed % 3
    parents = []
    for v in range(1, n + 1):
        near = v - 1 - dice.below(min(v, 3))
        parents.append(dice.below(v) if style == 0 else near if style == 1 else near * (dice.below(3) == 0))
    capacity = 1 + dice.below(n)
    length = dice.below(max_requests + 1)
    requests = [dice.below(n + 1) for _ in range(length)]
    return Instance(tuple(parents), capacity, fitting(parents, requests, capacity))


def linear_extension(instance: Instance, dice: SplitMix64) -> list[int]:
    """A random renumbering of the nodes under which parents still come first; 0 stays 0."""
    number = [0] * (len(instance.parents) + 1)
    children: list[list[int]] = [[] for _ in number]
    for v, parent in enumerate(instance.parents, start=1):
        children[parent].append(v)
    ready = list(children[0])
    for label in range(1, len(number)):
        at = dice.below(len(ready))
        ready[at], ready[-1] = ready[-1], ready[at]
        v = ready.pop()
        number[v] = label
        ready += children[v]
    return number


@cache
def corpus(*, tiny: bool = False) -> tuple[Instance, ...]:
    """Fixed instances for every check; `tiny` ones are small enough to enumerate every draw."""
    if tiny:
        drawn = (random_instance(seed, max_nodes=5, max_requests=9) for seed in range(30))
        return (*_edge_cases(), *drawn)
    return (*_edge_cases(), *famous(), *(random_instance(seed) for seed in range(45)))


def _edge_cases() -> list[Instance]:
    return [
        Instance((), 1, ()),
        Instance((), 2, (0, 0)),
        Instance((0,), 1, (1, 0, 1)),
        Instance(star(2), 1, (1, 2, 1)),
        Instance(star(3), 2, (1, 2, 3, 1, 2, 3)),
        Instance(line(3), 2, (2, 1, 2)),
        Instance(line(3), 3, (3, 1, 3)),
        Instance((0, 1, 1), 2, (2, 3, 2, 1, 3)),
        Instance((0, 1, 0, 0, 4), 3, (2, 3, 1, 5)),  # a phase ends between a leaf's filing and its parent's
    ]


def famous() -> list[Instance]:
    """The theory's own sequences, long enough for their ratios to show."""
    instances = []
    for leaves in (3, 4, 5):
        cycle = tuple(range(1, leaves + 1))
        instances.append(Instance(star(leaves), leaves - 1, cycle * 8))
        instances.append(Instance(star(leaves), leaves - 1, (1,) * 14 + cycle[-2:] * 7))
    instances.append(Instance(spider(2, 4), 7, (4, 8) * 6))
    instances.append(Instance(spider(3, 2), 4, (2, 4, 5, 4, 6, 1, 6, 2, 3) * 6))
    instances.append(Instance((0, 1, 1, 0, 4, 0), 3, (2, 5, 6, 3, 5, 2, 6, 4, 3) * 4))
    instances.append(Instance(comb(4), 5, (5, 6, 7, 3, 8, 4, 5, 7) * 4))
    instances.append(Instance(broom(2, 4), 5, (3, 4, 5, 6) * 5))
    instances.append(Instance(binary(3), 6, tuple(range(7, 15)) * 3))
    return instances


class SmallOptimum:
    """OPT of every sequence over one small tree, step by step, by work functions over all closed sets.

    A second opinion, in the theory's terms, and fast where every sequence is enumerated: the normalised work
    functions are few and their transitions are remembered.
    """

    def __init__(self, parents: Parents, capacity: int) -> None:
        self.path = [0]
        for v, parent in enumerate(parents, start=1):
            self.path.append(self.path[parent] | 1 << v)
        closed = [0]
        for v, parent in enumerate(parents, start=1):
            above = self.path[parent]
            closed += [state | 1 << v for state in closed if state & above == above]
        self.states = [state for state in closed if state.bit_count() <= capacity]
        never = 1 << 30
        self.start = tuple(0 if state == 0 else never for state in self.states)
        self._steps: dict[tuple[tuple[int, ...], int], tuple[tuple[int, ...], int]] = {}

    def step(self, work: tuple[int, ...], v: int) -> tuple[tuple[int, ...], int]:
        """The next normalised work function, and by how much OPT grew."""
        known = self._steps.get((work, v))
        if known is None:
            path = self.path[v]
            paid = [cost + (path & ~state).bit_count() for state, cost in zip(self.states, work, strict=True)]
            after = []
            for new in self.states:
                reached = [
                    cost
                    for state, cost in zip(self.states, paid, strict=True)
                    if new & path == path and not new & ~(state | path)
                ]
                after.append(min(reached, default=1 << 30))
            least = min(after)
            known = tuple(min(cost - least, 1 << 30) for cost in after), least
            self._steps[work, v] = known
        return known
