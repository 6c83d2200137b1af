"""What a policy costs inside vLLM's scheduler, against stock vLLM in the same run.

    .venv-vllm/bin/python tests/benchmarks/bench_live.py [BLOCKS]      (needs vLLM)

The engine is vLLM's own, with BLOCKS (100,000) cache blocks; only the model is left out: its executor answers
at once, so that what is timed is `Scheduler.schedule` and `Scheduler.update_from_output`. Load without a hit:
every prompt is new, 128 full blocks and a rest, and a full cache must give up as many. Variants take turns.
Then the same load is served by a real model on this machine for its TTFT, what the time is held against.
A cache of long prompts has few leaves; how the policy's own part of an eviction grows with them is timed on
its table alone, with prompts of 4 blocks.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from outcome import Figure, arguments, less, write
from rich.console import Console
from rich.table import Table

from gpu_validation.engine import Engine, Job
from gpu_validation.study import device, versions
from kvtheory.engine.node_table import NodeTable
from kvtheory.registry import policies

VARIANTS = (None, *sorted(policies()))
BLOCK, DEPTH, SHALLOW, ROUNDS, MEASURED = 32, 128, 4, 3, 150


class Stopwatch:
    """Seconds spent in some methods."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, owner: Any, name: str) -> None:
        method = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        setattr(owner, name, timed)


def without_model(engine: Engine) -> None:
    """Let every step answer token 7 at once."""
    from vllm.v1.outputs import ModelRunnerOutput

    class Done:
        def __init__(self, output: Any) -> None:
            self.result = lambda: output

    def execute(scheduled: Any, **_: Any) -> Any:
        names = list(scheduled.num_scheduled_tokens)
        places = {name: i for i, name in enumerate(names)}
        return Done(
            ModelRunnerOutput(req_ids=names, req_id_to_index=places, sampled_token_ids=[[7]] * len(names))
        )

    engine.core.engine_core.model_executor.execute_model = execute


def prompts(vocabulary: int) -> Iterator[Job]:
    """New ones for ever: the first two tokens of a block count."""
    span, number = vocabulary - 3, 0
    while True:
        tokens = []
        for _ in range(DEPTH):
            number += 1
            tokens += [3 + number % span, 3 + number // span % span, 3 + number // span**2] + [3] * (
                BLOCK - 3
            )
        yield Job(tokens + [3] * 5)


def scheduler_times(blocks: int, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Microseconds of the scheduler, by variant and round."""
    engine = Engine(
        "tiny-shape", block=BLOCK, blocks=blocks + 2, longest=(DEPTH + 1) * BLOCK,
        folder=Path(tempfile.mkdtemp()), max_num_batched_tokens=(DEPTH + 1) * BLOCK, max_num_seqs=8,
    )  # fmt: skip
    without_model(engine)
    scheduler = engine.core.engine_core.scheduler
    whole, pool = Stopwatch(), Stopwatch()
    whole.around(scheduler, "schedule")
    whole.around(scheduler, "update_from_output")
    found: dict[str, dict[str, Any]] = {v or "stock": {"request": [], "eviction": []} for v in VARIANTS}
    jobs = prompts(engine.vocabulary)
    for turn in range(ROUNDS):
        for variant in VARIANTS[turn:] + VARIANTS[:turn]:
            say(f"round {turn + 1}: {variant or 'stock'}")
            engine.switch(variant)
            engine.serve([next(jobs) for _ in range(blocks // DEPTH + 20)])
            if variant and turn == 0:
                assert (engine.status() or {})["nodes"] > blocks - DEPTH
            engine.pool.__dict__.pop("_make_room", None)
            if variant:
                pool.around(engine.pool, "_make_room")
            load = [next(jobs) for _ in range(MEASURED)]
            before = (engine.status() or {}).get("evictions", 0)
            whole.seconds = pool.seconds = 0.0
            served = engine.serve(load)
            assert not any(s.cached_tokens for s in served)
            cell = found[variant or "stock"]
            cell["request"].append(whole.seconds / MEASURED * 1e6)
            if variant:
                evicted = (engine.status() or {})["evictions"] - before
                assert evicted >= MEASURED * DEPTH
                cell["eviction"].append(pool.seconds / evicted * 1e6)
    engine.core.shutdown()
    return found


def many_leaves(blocks: int) -> dict[str, float]:
    """Microseconds that a policy's table takes for a victim, BLOCKS/4 leaves in the cache, by variant."""
    found = {}
    for name, policy in sorted(policies().items()):
        table: NodeTable[int] = NodeTable(policy, blocks, blocks + 2)
        times = []
        for first in range(0, blocks + 2000 * SHALLOW, SHALLOW):
            slots = table.slots(range(first, first + SHALLOW))
            table.serve(slots, slots, SHALLOW)
            over = len(table) - blocks if first >= blocks - SHALLOW else 0
            start = time.perf_counter()
            evicted = table.evict(over)
            if over:
                times.append((time.perf_counter() - start) / len(evicted) * 1e6)
            table.release(slots[::-1])
        found[name] = statistics.median(times)
    return found


def ttft() -> float:
    """Microseconds to the first token of such a prompt, stock vLLM, a small model, here; median of 15."""
    engine = Engine(
        "small-shape", block=BLOCK, blocks=4 * DEPTH, longest=(DEPTH + 1) * BLOCK,
        folder=Path(tempfile.mkdtemp()), max_num_batched_tokens=(DEPTH + 1) * BLOCK, max_num_seqs=8,
    )  # fmt: skip
    jobs = prompts(engine.vocabulary)
    engine.serve([next(jobs) for _ in range(3)])
    served = engine.serve([next(jobs) for _ in range(15)])
    engine.core.shutdown()
    return statistics.median(s.ttft for s in served) * 1e6


def figures(found: dict[str, Any]) -> list[Figure]:
    """A request in the scheduler under a few policies and the median one, against stock vLLM."""
    times = {row["variant"]: row["request_us"] for row in found["rows"]}
    stock = times.pop("stock")
    shown = {name: times[name] for name in ("lru", "rlt", "random")}
    shown["median policy"] = statistics.median(times.values())
    place = f"scheduler, {found['blocks']:,} blocks"
    return [less(f"{name}, {place}", "us/request", us, "stock vLLM", stock) for name, us in shown.items()]


def main() -> None:
    """Print and keep the table."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("blocks", type=int, nargs="?", default=100_000)
    options = parser.parse_args()
    blocks = options.blocks
    found = scheduler_times(blocks, lambda line: print(line, file=sys.stderr, flush=True))
    leaves = many_leaves(blocks)
    first = ttft()
    stock = statistics.median(found["stock"]["request"])
    table = Table(
        title=f"{blocks:,} blocks, {DEPTH} evicted a request; TTFT {first / 1e3:.1f} ms (small-shape, here)"
    )
    for column in (
        "variant",
        "scheduler us/request",
        "over stock",
        "over stock / TTFT",
        "us/evicted block",
        "its table, many leaves",
    ):
        table.add_column(column, justify="right")
    rows = []
    for name, cell in found.items():
        request = statistics.median(cell["request"])
        eviction = statistics.median(cell["eviction"]) if cell["eviction"] else None
        rows.append(
            {
                "variant": name,
                "request_us": request,
                "over_ttft": (request - stock) / first,
                "eviction_us": eviction,
                "many_leaves_us": leaves.get(name),
            }
        )
        table.add_row(
            name, f"{request:.0f}", f"{request - stock:+.0f}", f"{(request - stock) / first:+.2%}",
            *("" if us is None else f"{us:.2f}" for us in (eviction, leaves.get(name))),
        )  # fmt: skip
    Console().print(table)
    result = {"blocks": blocks, "depth": DEPTH, "ttft_us": first, "rows": rows, "rounds": found}
    content = {**result, "versions": versions(), "device": device()}
    write(options.out, content | {"figures": figures(content)})


if __name__ == "__main__":
    main()
