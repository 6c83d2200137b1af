"""Trees by name, as the command line writes them: `0,0,1,1`, `star:4`, `path:3`, `binary:2`, `comb:3`.

Nodes are 1..n and 0 is the root; a list gives the parent of node 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Callable

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree

LARGEST = 50_000_000


def star(n: int) -> list[int]:
    """`n` leaves below the root."""
    return [0] * n


def path(n: int) -> list[int]:
    """One chain of `n` nodes."""
    return list(range(n))


def binary(levels: int) -> list[int]:
    """Complete binary tree with `levels` levels below the root."""
    return [0, 0, *((v - 1) // 2 for v in range(3, 2 ** (levels + 1) - 1))] if levels else []


def comb(n: int) -> list[int]:
    """A spine of `n` nodes with one tooth each: nodes 1..n are the spine, n+i is the tooth of i."""
    return [*range(n), *range(1, n + 1)]


SHAPES: dict[str, Callable[[int], list[int]]] = {"star": star, "path": path, "binary": binary, "comb": comb}


def parse_tree(text: str) -> PrefixTree:
    """Read a tree as `--tree` writes it.

    Raises:
        InputError: if it is neither a known shape with a positive size nor a list of parents.
    """
    name, colon, size = text.partition(":")
    try:
        if not colon:
            return PrefixTree.from_parents([int(part) for part in text.split(",")])
        n = int(size)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{text}' is neither a list of parents nor shape:size", field="tree") from error
    if name not in SHAPES:
        raise InputError(f"no shape is named '{name}'; known: {', '.join(SHAPES)}", field="tree")
    if not 1 <= n <= (LARGEST if name != "binary" else 24):
        raise InputError(f"'{text}': the size is out of range", field="tree")
    return PrefixTree.from_parents(SHAPES[name](n))
