r"""The model: prefix trees, traces, costs, and the order of events inside one request.

Every engine cites this page. A *node* is one cacheable unit (a token, or a block of tokens); the root,
node 0, is the empty prefix and is free. A *request* is one node: its prompt is the path from the root.
A *cache state* is an ancestor-closed set of at most `capacity` nodes (the root is not counted).

Order of events when request `t` asks for node `v`
--------------------------------------------------
1. *Phase.* Marks belong to the request sequence, not to the policy. If the marked nodes together with
   the path of `v` would exceed `capacity` nodes, all marks are cleared: a new phase. Then the path is
   marked. (Under `FULL` they are cleared in step 5, but for the path: when a node has to be evicted and no
   candidate of positive weight is left, because all of them are marked. After the request the marks are the
   same.)
2. *Hit.* The hit is the longest cached prefix of the path. Cost = depth of `v` minus depth of the hit.
3. *Pin.* The path of `v` cannot be evicted while `v` is served.
4. *Insert and access.* For each node of the path, root to tip: if it is missing it is inserted
   (`on_insert`), then `on_access` is called. The cache may exceed `capacity` here.
5. *Evict.* While over capacity, one leaf of the cached set that is not pinned is evicted (`on_evict`
   is called, then its columns return to 0). Ranked policies: the smallest rank; ties deepest first, then
   earliest inserted.

Candidates of a random draw
---------------------------
Weighted policies draw from an ordered list of candidates: cached leaves, not pinned, of positive weight
(of any weight, where the policy does not declare `BINARY`). Its order is part of the meaning:

- *Append*: a node joins at the end: the parent of a victim when it becomes a leaf; the tip of the path
  when its request is over, if it is a leaf.
- *Swap-last removal*: a node that leaves is replaced by the last of the list. The deepest cached node of
  a requested path leaves when it is pinned, after the phase change and before anything is inserted; a
  victim leaves when it is drawn.
- *Phase change* (`BINARY` with `PHASES`): the nodes marked in the phase that ends are looked at in the
  order in which they were marked (request by request, root to tip); those that are cached leaves, have
  positive weight and are not in the list are appended. Under `FULL` the tip of the path is not.
- *One draw*: an integer below the total weight, by :mod:`kvtheory.rng`, unbiased; the victim is the first
  candidate at which the running sum of weights exceeds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory.errors import InputError

ROOT = 0

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Number = int | Fraction | float


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """A rooted tree as arrays; node 0 is the root, parents come before children.

    Args:
        parent: int32, shape (n+1,); `parent[0] == -1`, and `parent[v] < v` for every other node.
        tokens: int32, shape (n+1,): tokens held by each node; `tokens[0] == 0`. Default: 1 each.

    Raises:
        InputError: if a parent does not come before its child, or a token count is not positive.
    """

    parent: IntArray
    tokens: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int32))

    def __post_init__(self) -> None:
        parent = np.ascontiguousarray(self.parent, dtype=np.int32)
        if parent.ndim != 1 or parent.size == 0 or parent[0] != -1:
            raise InputError("parent must start with the root's -1", field="parent")
        wrong = np.flatnonzero((parent[1:] < 0) | (parent[1:] >= np.arange(1, parent.size, dtype=np.int32)))
        if wrong.size:
            v = int(wrong[0]) + 1
            raise InputError(f"node {v} has parent {parent[v]}: parents must come first", field="parent")
        tokens = self.tokens
        if not tokens.size:
            tokens = np.ones(parent.size, dtype=np.int32)
            tokens[0] = 0
        tokens = np.ascontiguousarray(tokens, dtype=np.int32)
        if tokens.shape != parent.shape or tokens[0] != 0 or (tokens[1:] <= 0).any():
            raise InputError("every node but the root holds at least one token", field="tokens")
        object.__setattr__(self, "parent", parent)
        object.__setattr__(self, "tokens", tokens)

    @classmethod
    def from_parents(cls, parents: Sequence[int]) -> PrefixTree:
        """Build from the parent of node 1, 2, ... (0 is the root): the command line's `--tree`."""
        return cls(np.array([-1, *parents], dtype=np.int32))

    @property
    def n(self) -> int:
        """Number of nodes without the root."""
        return int(self.parent.size - 1)

    @cached_property
    def depth(self) -> IntArray:
        """Depth of each node, int32, shape (n+1,): 0 for the root, 1 for its children."""
        depth = np.ones(self.n + 1, dtype=np.int32)
        depth[0] = 0
        jump = self.parent.copy()
        jump[0] = 0
        while jump.any():  # pointer doubling: log2(height) rounds
            depth += depth[jump]
            jump = jump[jump]
        return depth

    @cached_property
    def height(self) -> int:
        """Largest depth, 0 for the empty tree."""
        return int(self.depth.max())

    def path(self, v: int) -> list[int]:
        """Nodes from the root's child down to `v`; empty for the root."""
        path = []
        while v > 0:
            path.append(v)
            v = int(self.parent[v])
        return path[::-1]

    def path_sums(self, value: npt.NDArray[np.integer]) -> LongArray:
        """Sum of `value` over the path of every node, int64, shape (n+1,); `value[0]` must be 0."""
        total = value.astype(np.int64)
        jump = self.parent.copy()
        jump[0] = 0
        while jump.any():
            total += total[jump]
            jump = jump[jump]
        return total


@dataclass(frozen=True)
class CostModel:
    """Service cost of a request: unit misses by default, exact where its numbers are ints or Fractions.

    Up to the first token: fixed + alpha_cached * hit + alpha_miss * miss + attention * (length**2 - hit**2).
    Then: output + decode * tokens + context * (tokens * length + tokens * (tokens - 1) / 2). Hit, miss and
    length are in nodes or tokens. Each missed token reads what is before it, and so does each one generated.

    Args:
        alpha_cached, alpha_miss: of a unit that hits or misses.
        output: of every request's answer.
        decode: of one token of the answer.
        attention: of half a pair of a missed unit and a unit before it.
        context: of a pair of a generated token and a unit before it.
        fixed: of every request, before its first token.
    """

    alpha_cached: Number = 0
    alpha_miss: Number = 1
    output: Number = 0
    decode: Number = 0
    attention: Number = 0
    context: Number = 0
    fixed: Number = 0

    def prefill(self, hit: int, miss: int) -> Number:
        """Cost up to the first token."""
        length = hit + miss
        quadratic = self.attention * (length * length - hit * hit)
        return self.fixed + self.alpha_cached * hit + self.alpha_miss * miss + quadratic

    def cost(self, hit: int, miss: int, tokens: int = 0) -> Number:
        """Cost of a request that hits `hit` units, misses `miss` and answers with `tokens` tokens."""
        pairs = tokens * (hit + miss) + tokens * (tokens - 1) // 2
        return self.prefill(hit, miss) + self.output + self.decode * tokens + self.context * pairs

    def scaled(self, *beside: Number) -> tuple[CostModel, int]:
        """The same in whole numbers, and by how much they are larger; (itself, 0) if a number is a float.

        The factor makes the numbers `beside` whole, too.
        """
        numbers = vars(self)
        if any(isinstance(value, float) for value in (*numbers.values(), *beside)):
            return self, 0
        factor = lcm(*(Fraction(value).denominator for value in (*numbers.values(), *beside)))
        return CostModel(**{name: int(value * factor) for name, value in numbers.items()}), factor


@dataclass(frozen=True, eq=False)
class Trace:
    """A sequence of requests to the nodes of one tree, with what the file said about each.

    Args:
        tree: the prefixes.
        requests: int32, shape (N,): the node each request asks for; 0 is an empty prompt.
        block_tokens: tokens in a full block.
        source: where the trace came from, for reports.
        ids: int64, shape (n+1,): the file's id of each node; the node's number where there was none.
        columns: one array of shape (N,) per field that the file carried (`timestamp` in seconds,
            `output_length`, `chat_id`, `parent_chat_id`, `turn`, `session`, `priority`, `type` as a code into
            `type_names`).
        type_names: names of the request types, in code order.

    Raises:
        InputError: if a request names no node, or a column's length is not N.
    """

    tree: PrefixTree
    requests: IntArray
    block_tokens: int = 1
    source: str = "memory"
    ids: LongArray | None = None
    columns: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    type_names: tuple[str, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        requests = np.ascontiguousarray(self.requests, dtype=np.int32)
        object.__setattr__(self, "requests", requests)
        if requests.size and not (0 <= requests.min() and requests.max() <= self.tree.n):
            raise InputError(f"requests must be nodes 0..{self.tree.n}", file=self.source, field="requests")
        for name, column in self.columns.items():
            if column.shape != requests.shape:
                raise InputError(f"{column.size} values for {requests.size} requests", field=name)

    def __len__(self) -> int:
        return int(self.requests.size)

    @cached_property
    def accesses(self) -> int:
        """Block accesses: the sum of the requests' depths."""
        return int(self.depths.sum(dtype=np.int64))

    @cached_property
    def depths(self) -> IntArray:
        """Depth of each request, int32, shape (N,)."""
        return self.tree.depth[self.requests]

    @cached_property
    def answers(self) -> LongArray:
        """Tokens of each request's answer, int64, shape (N,); 0 where the trace does not say."""
        tokens = self.columns.get("output_length")
        return np.zeros(len(self), np.int64) if tokens is None else np.asarray(tokens, np.int64)

    def cut(self, capacity: int) -> tuple[Trace, int]:
        """The trace as a cache of `capacity` nodes serves it, and how many requests were cut.

        A path longer than the capacity is served up to its first `capacity` nodes; the rest are misses.

        Raises:
            InputError: if the capacity is not positive.
        """
        if capacity < 1:
            raise InputError(f"capacity {capacity}: a cache holds at least one node", field="capacity")
        depth = self.tree.depth
        too_long = np.flatnonzero(self.depths > capacity)
        if not too_long.size:
            return self, 0
        served = self.requests.copy()
        nodes = served[too_long]
        while (deep := depth[nodes] > capacity).any():
            nodes[deep] = self.tree.parent[nodes[deep]]
        served[too_long] = nodes
        return replace(self, requests=served), int(too_long.size)

    def require_fits(self, capacity: int) -> None:
        """Raise InputError unless every path fits: engines serve traces that were :meth:`cut`."""
        if capacity < 1 or (len(self) and int(self.depths.max()) > capacity):
            raise InputError(f"a path is longer than the capacity {capacity}: cut the trace first")

    @classmethod
    def from_parents(cls, parents: Sequence[int], requests: Sequence[int]) -> Trace:
        """Tiny traces for tests and docs: the parents of nodes 1..n, then the requested nodes."""
        return cls(PrefixTree.from_parents(parents), np.array(requests, dtype=np.int32))
