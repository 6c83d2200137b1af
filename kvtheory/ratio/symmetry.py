"""Symmetric subtrees: a labelled tree up to the automorphisms that keep requestable nodes requestable.

A permutation is a tuple `image` with node v carried to `image[v]`; `image[0] == 0`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby, pairwise
from math import factorial
from typing import Any

from kvtheory.ratio.instance import Instance

Permutation = tuple[int, ...]


class Symmetry:
    """The automorphisms of an instance; trivial ones cost nothing.

    Args:
        instance: the game.
        enabled: False for the trivial group.
    """

    def __init__(self, instance: Instance, *, enabled: bool = True) -> None:
        self.size = instance.tree.n + 1
        self.identity: Permutation = tuple(range(self.size))
        children: list[list[int]] = [[] for _ in range(self.size)]
        for v in instance.used:
            children[instance.parents[v]].append(v)
        form: list[Any] = [None] * self.size
        for v in (*reversed(instance.used), 0):
            form[v] = (v in instance.requestable, tuple(sorted(form[u] for u in children[v])))
        self.children = children
        self.slots: list[list[list[int]]] = []
        for v in range(self.size):
            alike = sorted(children[v], key=lambda u: (form[u], u))
            self.slots.append([list(group) for _, group in groupby(alike, key=lambda u: form[u])])
        self.inner = [v for v in (*reversed(instance.used), 0) if children[v]]
        self.trivial = not enabled or all(len(group) == 1 for groups in self.slots for group in groups)

    def canonical(self, labels: Sequence[Any]) -> tuple[tuple[Any, ...], Permutation]:
        """The representative of a labelled tree's orbit, and a permutation that leads to it.

        Args:
            labels: one comparable label per node 0..n.
        """
        if self.trivial:
            return tuple(labels), self.identity
        keys = self._keys(labels)
        image = [0] * self.size
        self._assign(0, 0, keys, image)
        for v in range(self.size):
            image[v] = image[v] or v  # nodes that no requestable path visits
        return moved(labels, tuple(image)), tuple(image)

    def stabiliser(self, labels: Sequence[Any]) -> tuple[int, tuple[Permutation, ...]]:
        """Order of the group that keeps a labelled tree, and permutations that generate it."""
        if self.trivial:
            return 1, ()
        keys, order, generators = self._keys(labels), 1, []
        for groups in self.slots:
            for group in groups:
                ranked = sorted(group, key=lambda u: keys[u])
                for _, same in groupby(ranked, key=lambda u: keys[u]):
                    alike = list(same)
                    order *= factorial(len(alike))
                    generators += [self._swap(a, b, keys) for a, b in pairwise(alike)]
        return order, tuple(generators)

    @cached_property
    def order(self) -> int:
        """Number of automorphisms."""
        return self.stabiliser([0] * self.size)[0]

    def _keys(self, labels: Sequence[Any]) -> list[Any]:
        keys: list[Any] = [(label,) for label in labels]
        for v in self.inner:
            below = tuple(tuple(sorted(keys[u] for u in group)) for group in self.slots[v])
            keys[v] = (labels[v], below)
        return keys

    def _assign(self, v: int, slot: int, keys: list[Any], image: list[int]) -> None:
        image[v] = slot
        for mine, places in zip(self.slots[v], self.slots[slot], strict=True):
            for u, place in zip(sorted(mine, key=lambda u: keys[u]), places, strict=True):
                self._assign(u, place, keys, image)

    def _swap(self, a: int, b: int, keys: list[Any]) -> Permutation:
        image = list(self.identity)
        self._exchange(a, b, keys, image)
        return tuple(image)

    def _exchange(self, a: int, b: int, keys: list[Any], image: list[int]) -> None:
        image[a], image[b] = b, a
        for left, right in zip(self.slots[a], self.slots[b], strict=True):
            ordered = (sorted(group, key=lambda u: keys[u]) for group in (left, right))
            for x, y in zip(*ordered, strict=True):
                self._exchange(x, y, keys, image)


def moved(labels: Sequence[Any], image: Permutation) -> tuple[Any, ...]:
    """Labels of the nodes after a permutation."""
    after = list(labels)
    for v, to in enumerate(image):
        after[to] = labels[v]
    return tuple(after)


def compose(second: Permutation, first: Permutation) -> Permutation:
    """First `first`, then `second`."""
    return tuple(second[v] for v in first)
