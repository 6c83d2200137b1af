"""GreedyDual-Size-Frequency on the nodes of the tree."""

from __future__ import annotations

from kvtheory.policy import INTEGER, ORDER, Policy, State, Trait

BASE = 3327
STEP = 2


class GDSF(Policy):
    """Leaf of least clock plus requests times cost over size; victims move the clock. [Cherkasova1998]_

    GreedyDual-Size [Cao1997]_ with frequencies. A node's value is set when it is requested, to the clock
    at that time plus its requests since it was inserted times what it costs to compute again, over its
    size; the clock rises to the value of each victim. Ties by recency.

    *Cost and size.* Blocks are all of one size, which is therefore left out. The cost of a block at depth
    d is that of prefilling its tokens behind a cached prefix of d - 1 blocks, for the shape of
    Llama-3.1-8B (hidden 4096, intermediate 14336, 32 layers, 8 KV heads of 128): its linear layers hold
    218,103,808 weights a layer, two operations each and token, while attention takes 4 * 4096 operations
    a layer for every earlier token; so the linear part is worth 26,624 tokens of context. Counted in half
    blocks of 16 tokens that is `3328 + (2 d - 1) = 3327 + 2 d`, an integer, the scale of the value. At
    blocks of 512 tokens it would be `103 + 2 d`.

    *Carried to trees.* A request counts for every node of its path, and only leaves go. The value of a
    new node is set before room is made for it, as libCacheSim has it; what was requested is pinned, where
    a flat cache may evict it at once. So a victim may be worth less than the clock, which then stays. The
    clock, and how far down its path the present request is, are kept at the root. (In vLLM, a prompt that
    comes in by chunks between others counts its depth from where the last request ended.) At equal costs
    this is `lfuda`, but that its clock never falls.
    """

    name = "gdsf"
    source = "Cherkasova1998 Cao1997"
    columns = {"count": INTEGER, "value": INTEGER, "last_use": ORDER, "depth": INTEGER, "now": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.depth[0] = s.depth[0] * (s.now[0] == t) + 1
        s.now[0] = t
        s.count[v] += 1
        s.value[v] = s.value[0] + s.count[v] * (BASE + STEP * s.depth[0])
        s.last_use[v] = t

    @staticmethod
    def on_evict(s: State, v: int, t: int) -> None:
        s.value[0] = max(s.value[0], s.value[v])

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.value[v], s.last_use[v])
