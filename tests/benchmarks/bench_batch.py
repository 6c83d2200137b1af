"""Requests a second of the batch engine, on every device that is there, beside the kernel and the reference.

    python tests/benchmarks/bench_batch.py        (needs torch)

Many short sequences, each under its own seed. The kernel and the reference replay them one after the other,
all in one thread; the misses must be equal. Best of three, after warm-up. Writes results/batch.json.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from outcome import Figure, arguments, more, write

from adversaries.batch.engine import BatchEngine
from kvtheory.engine.kernel import prepare
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import Trace
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree

CASES = (
    ("star:9", 8, "lru"),
    ("star:9", 8, "rlt"),
    ("comb:8", 8, "lru"),
    ("comb:8", 8, "rlt"),
    ("binary:5", 20, "lru"),
)
LENGTH, LANES, REPEATS = 50, (256, 4096, 32768), 3
KERNEL, REFERENCE = 500, 20


def fastest(run: Callable[..., object], *arguments: object) -> float:
    """Best seconds of a few runs, after one that warms up."""
    run(*arguments)
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(*arguments)
        best = min(best, time.perf_counter() - start)
    return best


def batched(tree, capacity, policy, requests, device):
    """Misses of every lane."""
    engine = BatchEngine(tree, capacity, policy, range(len(requests)), device)
    total = engine.tables.zeros(len(requests))
    for column in engine.tables.requests(requests).T:
        total += engine.serve(column)
    return total.tolist()


def by_kernel(tree, capacity, policy, requests):
    """The same, one lane after the other, compiled."""
    found = []
    for seed, row in enumerate(requests):
        hit = prepare(Trace(tree, row), capacity, policy, seed)().hit
        found.append(int(tree.depth[row].sum() - tree.depth[hit].sum()))
    return found


def by_reference(tree, capacity, policy, requests):
    """The same in plain Python."""
    found = []
    for seed, row in enumerate(requests):
        hits, _ = ReferenceEngine(tree, capacity, policy, seed).run(row)
        found.append(int(tree.depth[row].sum() - tree.depth[hits].sum()))
    return found


def figures(found: dict[str, Any]) -> list[Figure]:
    """The largest batch of each device against the kernel, one lane after the other."""
    return [
        more(
            f"{row['policy']} on {row['tree']}, {device}, {LANES[-1]} sequences at once",
            "requests/s",
            row[f"{device} {LANES[-1]}"],
            "our kernel, one at a time",
            row["kernel"],
        )
        for row in found["requests_per_second"]
        for device in found["devices"]
    ]


def main() -> int:
    """Measure, print, and write results/batch.json."""
    options = arguments(__doc__, __file__).parse_args()
    torch.set_num_threads(1)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows, equal = [], True
    for text, capacity, name in CASES:
        tree, policy = parse_tree(text), policies()[name]
        fits = np.flatnonzero(tree.depth <= capacity)[1:].astype(np.int32)
        requests = np.random.default_rng(0).choice(fits, (LANES[-1], LENGTH))
        row: dict[str, object] = {"tree": text, "capacity": capacity, "policy": name}
        few, fewer = requests[:KERNEL], requests[:REFERENCE]
        equal &= batched(tree, capacity, policy, few, "cpu") == by_kernel(tree, capacity, policy, few)
        equal &= batched(tree, capacity, policy, fewer, "cpu") == by_reference(tree, capacity, policy, fewer)
        row["kernel"] = few.size / fastest(by_kernel, tree, capacity, policy, few)
        row["reference"] = fewer.size / fastest(by_reference, tree, capacity, policy, fewer)
        for device in devices:
            for lanes in LANES:
                part = requests[:lanes]
                seconds = fastest(batched, tree, capacity, policy, part, device)
                row[f"{device} {lanes}"] = part.size / seconds
        rows.append(row)
        shown = "  ".join(f"{key} {value:,.0f}" for key, value in row.items() if isinstance(value, float))
        print(f"{text} k={capacity} {name}: {shown}", flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, one thread, torch {torch.__version__}"
    content = {"machine": machine, "devices": devices, "equal": equal, "requests_per_second": rows}
    write(options.out, content | {"figures": figures(content)})
    print("misses equal" if equal else "misses DIFFER")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
