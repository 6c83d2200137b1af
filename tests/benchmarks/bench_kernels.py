"""Policies that are objects, compiled: kernel, object and libCacheSim on one trace, in one run.

    python tests/benchmarks/bench_kernels.py [TRACE]

Nanoseconds a block access, the best of repeated replays, taken in turns (one of the object, which is slow);
all three see the same accesses. libCacheSim plays flat paging, so its speed is compared and its misses are
not; it is run as it comes, and with a fitted hash table ("tuned"), as in `bench_replay.py`. Then,
each in a process with an empty cache, the seconds until a policy has replayed its first three requests: what
it costs to compile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcachesim as lcs
import numpy as np
from outcome import TRACE, Figure, arguments, less, machine, trace_file, write

from kvtheory.engine.kernel import prepare
from kvtheory.engine.object_kernels import kernel_of
from kvtheory.engine.objects import replay_object
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.registry import every_policy
from kvtheory.traces import read_trace

SHARES, TURNS, REPEATS = (0.01, 0.1), 3, 5
THEIRS = {
    "arc": "ARC",
    "clock": "Clock",
    "lirs": "LIRS",
    "s3fifo": "S3FIFO",
    "sieve": "Sieve",
    "two_q": "TwoQ",
    "wtinylfu": "WTinyLFU",
}
"""libCacheSim's names; it has no DBL."""

RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
FIRST = """
import time
from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.registry import every_policy
policy = every_policy()["{name}"]
start = time.perf_counter()
replay(Trace.from_parents([0, 0], [1, 2, 1]), 1, policy)
print(time.perf_counter() - start)
"""


def compiled() -> dict[str, type[ObjectPolicy]]:
    """Policies with a kernel, by name."""
    known = sorted(every_policy().items())
    return {name: p for name, p in known if issubclass(p, ObjectPolicy) and kernel_of(p)}


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def flat_reader(trace: Trace, folder: Path) -> Any:
    """The block accesses of a trace, root to tip, as libCacheSim reads them."""
    paths: list[int] = []
    for v in trace.requests.tolist():
        paths += trace.tree.path(v)
    records = np.zeros(len(paths), RECORD)
    records["id"], records["size"], records["next"] = paths, 1, -1
    file = folder / "trace.oracleGeneral"
    records.tofile(file)
    return lcs.TraceReader(str(file), lcs.TraceType.ORACLE_GENERAL_TRACE, lcs.ReaderInitParam())


def measured(
    name: str, policy: type[ObjectPolicy], trace: Trace, capacity: int, reader: Any
) -> dict[str, Any]:
    """Nanoseconds an access of all that there are, and their ratios."""
    hit, none = np.empty(len(trace), np.int32), np.empty(0, np.int32)
    runs: dict[str, Callable[[], float]] = {
        "kernel": lambda: seconds(prepare(trace, capacity, policy)),
        "object": lambda: seconds(lambda: replay_object(trace, capacity, policy, 0, hit, none)),
    }

    def theirs(**settings: int) -> float:
        cache = getattr(lcs, THEIRS[name])(cache_size=capacity, consider_obj_metadata=False, **settings)
        return seconds(lambda: cache.process_trace(reader))

    if name in THEIRS:
        runs["libcachesim"] = theirs
        runs["libcachesim tuned"] = lambda: theirs(hashpower=max(16, capacity.bit_length()))
    best = dict.fromkeys(runs, float("inf"))
    runs["kernel"]()
    for turn in range(TURNS):
        for label, run in runs.items():
            if label == "object" and turn:  # seconds long, and some seventy times slower
                continue
            for _ in range(1 if label == "object" else REPEATS):
                best[label] = min(best[label], run())
    each = {label: value / trace.accesses * 1e9 for label, value in best.items()}
    over = {f"{label} / kernel": value / each["kernel"] for label, value in each.items() if label != "kernel"}
    return {"policy": name, "capacity": capacity, "ns_per_access": each, "ratios": over}


def first_seconds(name: str) -> float:
    """Until the first replay is over, with nothing compiled."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KVTHEORY_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST.format(name=name)]
        return float(subprocess.run(command, check=True, env=environment, capture_output=True).stdout)


def figures(found: dict[str, Any]) -> list[Figure]:
    """At the larger capacity: the kernel against the object, and against libCacheSim's own fast setting."""
    rows, at = [], max(row["capacity"] for row in found["rows"])
    for row in found["rows"]:
        if row["capacity"] == at:
            times = row["ns_per_access"]
            for peer, label in (
                ("object", "the same in Python"),
                ("libcachesim tuned", "libCacheSim, tuned"),
            ):
                if peer in times:
                    quantity = f"{row['policy']}, {at:,} blocks"
                    rows.append(less(quantity, "ns/access", times["kernel"], label, times[peer]))
    return rows


def main() -> int:
    """Measure, print, and write results/kernels.json."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("trace", type=Path, nargs="?", default=TRACE)
    options = parser.parse_args()
    file = trace_file(options.trace)
    whole, rows = read_trace(file), []
    with tempfile.TemporaryDirectory() as folder:
        for share in SHARES:
            capacity = int(share * whole.tree.n)
            trace, _ = whole.cut(capacity)
            reader = flat_reader(trace, Path(folder))
            for name, policy in compiled().items():
                rows.append(measured(name, policy, trace, capacity, reader))
                times = "  ".join(f"{k} {v:8.1f}" for k, v in rows[-1]["ns_per_access"].items())
                times += f"   object / kernel {rows[-1]['ratios']['object / kernel']:.0f}"
                print(f"{name:<10}{capacity:>7}  {times}")
    cold = {name: first_seconds(name) for name in ("lfu", *compiled())}
    print("first replay, nothing compiled: " + "  ".join(f"{k} {v:.1f} s" for k, v in cold.items()))
    content = {"machine": machine(), "trace": file.name, "rows": rows, "first_replay_seconds": cold}
    write(options.out, content | {"figures": figures(content)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
