"""Prompts that grow out of each other, as a trace: token counts become blocks, sessions become columns.

A *context* is a prompt: the tokens of the context above it, then tokens of its own that no other context
has. Context 0 is empty. Blocks are hashed as vLLM hashes them: a block stands for everything before it, so
two prompts share the blocks that are full of tokens they have in common. The part of a block at the end of
a prompt is a leaf of its own. Only blocks of requested prompts become nodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adversaries.chains import LARGEST_TREE
from adversaries.draws import Floats, Ints
from kvtheory.errors import InputError
from kvtheory.model import IntArray, PrefixTree, Trace


class Forest(NamedTuple):
    """Contexts, numbered so that each comes after the one above it.

    Attributes:
        above: int64, shape (C+1,): the context it grows out of; `above[0] == 0`.
        tokens: int64, shape (C+1,): tokens of its own; `tokens[0] == 0`.
    """

    above: Ints
    tokens: Ints


class Requests(NamedTuple):
    """Requests in any order in which one that is continued comes first; every array has shape (N,).

    Attributes:
        context: the prompt.
        time: seconds.
        output: tokens of the reply.
        before: place in these arrays of the request that it continues; -1 for none.
        turn: from 1.
        kind: code into the names of types.
    """

    context: Ints
    time: Floats
    output: Ints
    before: Ints
    turn: Ints
    kind: Ints


def join(*parts: tuple[npt.ArrayLike, npt.ArrayLike]) -> Forest:
    """The empty context, then those of each part (above, tokens), in order; a scalar stands for all."""
    above, tokens = zip(
        *(np.broadcast_arrays(*part) for part in ((np.zeros(1, np.int64), 0), *parts)), strict=True
    )
    return Forest(np.concatenate(above).astype(np.int64), np.concatenate(tokens).astype(np.int64))


def trace_of(forest: Forest, requests: Requests, *, block: int, kinds: tuple[str, ...], source: str) -> Trace:
    """The trace, in order of time; requests at the same time stay in the order given.

    `chat_id` is the request's place in the trace, as in the Bailian traces each request has its own
    [Wang2025]_; `parent_chat_id` is that of the request it continues.

    Raises:
        InputError: if the tree outgrows 32-bit node numbers.
    """
    order = np.argsort(requests.time, kind="stable")
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    before = requests.before[order]
    tree, served = tree_of(forest, requests.context[order], block)
    columns = {
        "timestamp": requests.time[order],
        "output_length": requests.output[order],
        "chat_id": np.arange(order.size),
        "parent_chat_id": np.where(before < 0, -1, place[before]),
        "turn": requests.turn[order],
        "type": requests.kind[order],
    }
    return Trace(tree, served, block_tokens=block, source=source, columns=columns, type_names=kinds)


def tree_of(forest: Forest, asked: Ints, block: int) -> tuple[PrefixTree, IntArray]:
    """The prefix tree of the contexts asked for, and the node of each request, int32, shape (N,).

    Args:
        forest: the contexts.
        asked: int64, shape (N,): the context of each request.
        block: tokens in a block.

    Raises:
        InputError: if the tree outgrows 32-bit node numbers.
    """
    above = forest.above
    total = _path_sums(forest)
    asked = _nearest(above, forest.tokens > 0)[asked]  # a prompt that adds nothing is the one above
    wanted = np.zeros(above.size, dtype=np.bool_)
    wanted[asked] = True
    partial = np.flatnonzero(wanted & (total % block > 0))
    _mark_above(above, wanted)
    full = total // block
    own = np.where(wanted, full - full[above], 0)
    ends = 1 + np.cumsum(own)
    trunk = int(ends[-1])
    size = trunk + partial.size
    if size > LARGEST_TREE:
        raise InputError(f"{size} nodes: more than {LARGEST_TREE}")
    some = np.flatnonzero(own)
    last = ends - 1
    last[0] = 0
    last = last[_nearest(above, own > 0)]  # the last full block of each prompt
    parent = np.arange(-1, size - 1, dtype=np.int32)
    parent[(ends - own)[some]] = last[above[some]]
    parent[trunk:] = last[partial]
    tokens = np.full(size, block, dtype=np.int32)
    tokens[0] = 0
    tokens[trunk:] = (total % block)[partial]
    last[partial] = np.arange(trunk, size)
    return PrefixTree(parent, tokens), last[asked].astype(np.int32)


def _path_sums(forest: Forest) -> Ints:
    """Tokens of each whole prompt, by pointer doubling."""
    total, jump = forest.tokens.copy(), forest.above
    while jump.any():
        total += total[jump]
        jump = jump[jump]
    return total


def _nearest(above: Ints, holds: npt.NDArray[np.bool_]) -> Ints:
    """The nearest context, itself first and then upwards, that holds something; 0 for none, shape (C+1,)."""
    nearest = np.where(holds, np.arange(above.size), above)
    while not np.array_equal(nearest, further := nearest[nearest]):
        nearest = further
    return nearest


def _mark_above(above: Ints, marked: npt.NDArray[np.bool_]) -> None:
    """Mark, in place, everything above a marked context."""
    fresh = np.flatnonzero(marked)
    while fresh.size:
        higher = above[fresh]
        fresh = np.unique(higher[~marked[higher]])
        marked[fresh] = True
