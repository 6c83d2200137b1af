"""What a policy's bookkeeping costs: nanoseconds for a hit, an insertion, an eviction, and bytes for a block.

    python tests/benchmarks/bench_bookkeeping.py [POLICY...]

Every registered policy (or those named) twice: replayed by the simulator, and one call at a time as inside
vLLM (:class:`kvtheory.engine.node_table.NodeTable`); in the same run two peers, a flat LRU in an
`OrderedDict` and a queue of free blocks as vLLM's, both in Python, one call for a block.

The load. Prompts of DEPTH blocks that share nothing, a cache of CAPACITY blocks. *Fill*: new prompts until
the cache is full. *Hit*: prompts that are cached, in a random order, ROUNDS times each. *Churn*: new prompts
again, so that every insertion needs an eviction. Then a hit is the time of the hits over their number, an
insertion that of the second half of the filling, and an eviction what a block of the churn takes more than an
insertion. What a request costs by itself is spread over its DEPTH blocks. A replay is timed whole, for a
compiled one has no seams: the phases are differences of the best times of replays that end after them, over
the same tree. A figure of 0 or less is below what such differences resolve.

Bytes: of the policy's own columns and marks, from their types, or of everything that its object reaches,
keys left out, after a churn at 10,000 blocks with every third prompt asked for again, so that ghosts are as
many as they become; and of the whole table beside the engine's blocks, as `tracemalloc` counts it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from outcome import Figure, arguments, less, machine, write

from kvtheory.engine.kernel import prepare
from kvtheory.engine.node_table import NodeTable
from kvtheory.engine.object_kernels import kernel_of
from kvtheory.engine.templates.live import INSERTIONS
from kvtheory.model import PrefixTree, Trace
from kvtheory.object_policy import AnyPolicy, ObjectPolicy, reads
from kvtheory.policy import Trait
from kvtheory.registry import every_policy

CAPACITY, DEPTH, ROUNDS, CHURN = 8192, 16, 2, 2
BYTES_AT = 10_000
BUDGET, LEAST, PATIENCE = 0.25, 3, 2.0
"""Seconds for the repetitions of one timing; how many there are at least, unless that takes so long."""

PROMPTS = CAPACITY // DEPTH
ABOUT = {"timestamp": 0.0, "type": 0, "turn": 1, "chat_id": 1, "parent_chat_id": -1, "priority": 0}


def chains(prompts: int) -> PrefixTree:
    """So many prompts of DEPTH blocks that share nothing; prompt i ends at node (i + 1) * DEPTH."""
    parent = np.arange(-1, prompts * DEPTH, dtype=np.int32)
    parent[1::DEPTH] = 0
    return PrefixTree(parent)


def phases() -> tuple[list[int], list[int], list[int]]:
    """The prompts of each phase, by number."""
    dice = np.random.default_rng(0)
    hits = np.concatenate([dice.permutation(PROMPTS) for _ in range(ROUNDS)]).tolist()
    return list(range(PROMPTS)), hits, list(range(PROMPTS, PROMPTS * (1 + CHURN)))


def facts(policy: AnyPolicy, requests: int) -> dict[str, Any]:
    """Columns for what a policy reads: each request a conversation of its own, one each 0.1 s."""
    columns = {name: np.full(requests, ABOUT.get(name, 0)) for name in reads(policy)}
    if "timestamp" in columns:
        columns["timestamp"] = np.arange(requests) / 10
    if "chat_id" in columns:
        columns["chat_id"] = np.arange(requests)
    return columns


def best(run: Callable[[], float]) -> float:
    """The least of repeated timings."""
    found = [run()]
    while again(len(found), sum(found)):
        found.append(run())
    return min(found)


def again(done: int, seconds: float) -> bool:
    """Whether a timing is repeated once more."""
    return seconds < BUDGET or (done < LEAST and seconds < PATIENCE)


def engine_of(policy: AnyPolicy) -> str:
    """What replays it."""
    if not issubclass(policy, ObjectPolicy):
        return "kernel of runs" if Trait.RECENCY in policy.traits else "kernel"
    return "kernel of lists" if kernel_of(policy) else "object"


def simulated(policy: AnyPolicy) -> dict[str, float]:
    """Nanoseconds in a replay."""
    fill, hits, churn = phases()
    tree, half = chains(PROMPTS * (1 + CHURN)), PROMPTS // 2

    def seconds(prompts: list[int], evictions: int, misses: int) -> float:
        requests = (np.array(prompts, np.int32) + 1) * DEPTH
        trace = replace(Trace(tree, requests), columns=facts(policy, len(prompts)))

        def once() -> float:
            run = prepare(trace, CAPACITY, policy)
            start = time.perf_counter()
            found = run()
            passed = time.perf_counter() - start
            assert found.evictions == evictions
            assert trace.accesses - int(tree.depth[found.hit].sum()) == misses
            return passed

        return best(once)

    prepare(Trace(tree, np.zeros(1, np.int32)), CAPACITY, policy)()  # compiles
    halfway = seconds(fill[:half], 0, CAPACITY // 2)
    full = seconds(fill, 0, CAPACITY)
    after_hits = seconds(fill + hits, 0, CAPACITY)
    after_churn = seconds(fill + churn, CHURN * CAPACITY, (1 + CHURN) * CAPACITY)
    return costs(full - halfway, after_hits - full, after_churn - full)


def costs(half_fill: float, hits: float, churn: float) -> dict[str, float]:
    """Nanoseconds of each operation from the seconds of the phases."""
    insertion = half_fill / (CAPACITY // 2) * 1e9
    return {
        "hit": hits / (ROUNDS * CAPACITY) * 1e9,
        "insertion": insertion,
        "eviction": churn / (CHURN * CAPACITY) * 1e9 - insertion,
    }


def keys_of(prompts: int) -> list[list[bytes]]:
    """A hash for each block of each prompt, made beforehand, as vLLM does."""
    return [[(i * DEPTH + j).to_bytes(32, "big") for j in range(DEPTH)] for i in range(prompts)]


def played(start: Callable[[], Callable[[list[bytes], int], int]]) -> dict[str, float]:
    """Nanoseconds of a cache's calls; `start` makes one that serves prompts and says how many it evicted."""
    fill, hits, churn = phases()
    keys = keys_of(PROMPTS * (1 + CHURN))
    found: list[tuple[float, float, float]] = []
    while again(len(found), sum(map(sum, found))):
        serve = start()
        for i in fill[: PROMPTS // 2]:
            serve(keys[i], i)
        times, number = [], PROMPTS
        for some, evicted in ((fill[PROMPTS // 2 :], 0), (hits, 0), (churn, CHURN * CAPACITY)):
            begin, victims = time.perf_counter(), 0
            for i in some:
                number += 1
                victims += serve(keys[i], number)
            times.append(time.perf_counter() - begin)
            assert victims == evicted
        found.append((times[0], times[1], times[2]))
    return costs(*(min(each) for each in zip(*found, strict=True)))


def on_table(policy: AnyPolicy, capacity: int = CAPACITY) -> Callable[[list[bytes], int], int]:
    """A table as vLLM's pool uses it, one request at a time."""
    table: NodeTable[bytes] = NodeTable(policy, capacity, capacity + DEPTH)
    about: dict[str, int | float] = {**ABOUT, "input_length": DEPTH}
    cached = 0

    def serve(keys: list[bytes], number: int) -> int:
        nonlocal cached
        about["timestamp"] = about["chat_id"] = number
        before = table._table.counters[INSERTIONS]
        slots = table.slots(keys)
        table.serve(slots, slots, DEPTH, about)
        cached += int(table._table.counters[INSERTIONS] - before)
        victims = table.evict(cached - capacity) if cached > capacity else []
        cached -= len(victims)
        table.release(slots[::-1])
        return len(victims)

    serve.table = table  # type: ignore[attr-defined]
    return serve


def ordered_dict(capacity: int = CAPACITY) -> Callable[[list[bytes], int], int]:
    """Flat LRU: what is written in an afternoon."""
    cache: OrderedDict[bytes, None] = OrderedDict()

    def serve(keys: list[bytes], number: int) -> int:
        victims = 0
        for key in keys:
            if key in cache:
                cache.move_to_end(key)
            else:
                cache[key] = None
                if len(cache) > capacity:
                    cache.popitem(last=False)
                    victims += 1
        return victims

    serve.table = cache  # type: ignore[attr-defined]
    return serve


class Block:
    """A block of memory in a doubly linked queue."""

    __slots__ = ("after", "before", "key", "uses")

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.uses = 0
        self.before: Block = self
        self.after: Block = self


def free_queue(capacity: int = CAPACITY) -> Callable[[list[bytes], int], int]:
    """Blocks as vLLM keeps them: a free one keeps its hash until it is taken from the head of the queue."""
    head, by_key = Block(), dict[bytes, Block]()

    def unlink(block: Block) -> None:
        block.before.after, block.after.before = block.after, block.before

    def append(block: Block) -> None:
        block.before, block.after = head.before, head
        head.before.after = head.before = block

    for _ in range(capacity):
        append(Block())

    def serve(keys: list[bytes], number: int) -> int:
        victims, used = 0, []
        for key in keys:
            block = by_key.get(key)
            if block is None:
                block = head.after
                if block.key is not None:
                    del by_key[block.key]
                    victims += 1
                block.key = key
                by_key[key] = block
            unlink(block)
            block.uses += 1
            used.append(block)
        for block in reversed(used):
            block.uses -= 1
            append(block)
        return victims

    serve.table = (head, by_key)  # type: ignore[attr-defined]
    return serve


def deep_size(root: object) -> int:
    """Bytes of everything an object reaches, once each; keys (bytes), classes and functions left out."""
    seen, waiting, total = set[int](), [root], 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, bytes | type) or callable(item):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        waiting += parts(item)
    return total


def parts(item: Any) -> Iterable[object]:
    """What an object holds directly."""
    if isinstance(item, dict):
        yield from item.keys()
        yield from item.values()
    elif isinstance(item, list | tuple | set | frozenset):
        yield from item
    if hasattr(item, "__dict__"):
        yield vars(item)
    for kind in type(item).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(item, name):
                yield getattr(item, name)


def churned(start: Callable[[int], Any], keys: list[list[bytes]]) -> Any:
    """A cache of BYTES_AT blocks after three times as many, each third prompt asked for again later."""
    serve = start(BYTES_AT)
    for i in range(len(keys)):
        serve(keys[i], i)
        if i % 3 == 0:
            serve(keys[i // 2], i)
    return serve


def bytes_per_block(start: Callable[[int], Any], policy: AnyPolicy | None) -> dict[str, float]:
    """The policy's own, and all that a cache of BYTES_AT blocks keeps beside them."""
    keys = keys_of(3 * BYTES_AT // DEPTH)
    tracemalloc.start()
    serve = churned(start, keys)
    whole = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    own = float(whole)
    if policy is not None:
        table = serve.table
        if issubclass(policy, ObjectPolicy):
            own = deep_size(table._kernel.mind)
        else:
            arrays = table._table
            slots = arrays.parent.size
            marks = arrays.marked.itemsize * (Trait.PHASES in policy.traits)
            own = (arrays.columns.nbytes / slots + marks) * BYTES_AT + arrays.marked_order.nbytes
    return {"own": own / BYTES_AT, "whole": whole / BYTES_AT}


def row(name: str, policy: AnyPolicy) -> dict[str, Any]:
    """Everything about one policy."""
    on_table(policy)(keys_of(1)[0], 0)  # compiles
    return {
        "policy": name,
        "engine": engine_of(policy),
        "simulator_ns": simulated(policy),
        "live_ns": played(lambda: on_table(policy)),
        "bytes": bytes_per_block(lambda capacity: on_table(policy, capacity), policy),
    }


def said(name: str, cell: dict[str, Any]) -> str:
    """A line of the table on the screen."""
    shown = ""
    for kind in ("simulator_ns", "live_ns"):
        times = cell.get(kind)
        shown += "".join(f"{times[k]:9.0f}" for k in ("hit", "insertion", "eviction")) if times else " " * 27
    return f"{name:<18} {cell['engine']:<16}{shown}{cell['bytes']['own']:9.0f}{cell['bytes']['whole']:9.0f}"


def figures(found: dict[str, Any]) -> list[Figure]:
    """A block that misses in a full cache, as in vLLM, of a few policies and of the median one."""
    miss = {
        row.get("policy", row.get("peer")): row["live_ns"]["insertion"] + row["live_ns"]["eviction"]
        for row in found["peers"] + found["rows"]
    }
    peer = found["peers"][-1]["peer"]
    shown = {name: miss[name] for name in ("lru", "rlt", "arc") if name in miss}
    shown["median policy"] = statistics.median(miss[row["policy"]] for row in found["rows"])
    own = {row["policy"]: row["bytes"]["whole"] for row in found["rows"]}
    queue = found["peers"][-1]["bytes"]["whole"]
    return [
        less(f"{name}: a miss, called as in vLLM", "ns/block", ns, f"{peer}, in Python", miss[peer])
        for name, ns in shown.items()
    ] + [
        less(
            "median policy: its table",
            "bytes/block",
            statistics.median(own.values()),
            f"{peer}, in Python",
            queue,
        )
    ]


def main() -> int:
    """Measure, print, and write results/bookkeeping.json if no policy was named."""
    known = sorted(every_policy().items())
    parser = arguments(__doc__, __file__)
    parser.add_argument("policies", nargs="*", metavar="policy", choices=[[], *(name for name, _ in known)])
    options = parser.parse_args()
    wanted = [(name, policy) for name, policy in known if not options.policies or name in options.policies]
    began = time.perf_counter()
    print(
        f"{'ns: in a replay (hit, insertion, eviction), and called as in vLLM; bytes: own, whole table':>90}"
    )
    peers = []
    for name, start in (("OrderedDict", ordered_dict), ("vLLM's free queue", free_queue)):
        times, size = played(start), bytes_per_block(start, None)
        peers.append({"peer": name, "engine": "Python, emulated", "live_ns": times, "bytes": size})
        print(said(name, peers[-1]))
    rows = []
    for name, policy in wanted:
        rows.append(row(name, policy))
        print(said(name, rows[-1]), flush=True)
    print(f"{time.perf_counter() - began:.0f} s")
    if options.policies:
        return 0
    content = {
        "machine": machine(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "versions": {name: version(name) for name in ("numba", "numpy")},
        "capacity": CAPACITY,
        "depth": DEPTH,
        "bytes_at": BYTES_AT,
        "peers": peers,
        "rows": rows,
    }
    write(options.out, content | {"figures": figures(content)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
