"""Time two peer simulators on a Mooncake trace; run by the interpreter that has them installed.

    /path/to/peer-venv/bin/python peers.py TRACE CAP1,CAP2,... --out OUT.json

libCacheSim (libcachesim) plays flat paging: a block is an object of size 1 and knows no parent. So its
speed is compared with ours and its misses are not. kvcache-simulator plays the prefix tree: its `lru` is
our leaf-LRU and its `optimal` our Belady with bypass, in tokens, over the last half of the requests.
Parsing and conversion stay outside every clock. Imports nothing of kvtheory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kvcache_sim
import libcachesim as lcs
import numpy as np
from kvcache_sim.trace import TraceData, parse_trace_file

MIN_SECONDS = 1.0  # of measured replays, after one that warms up
BLOCK_TOKENS = 512
NEIGHBOURS = 8  # kvcache-simulator: capacities C .. C+7 in one batch
MODEL_ID = "glm-5.2"  # sets only how many bytes a block has; the budget is computed back from them
ORACLE_GENERAL = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


def repeat(run: Callable[[], float]) -> list[float]:
    """Seconds of each replay; `run` returns the seconds it took by its own clock."""
    run()
    times: list[float] = []
    while not times or sum(times) < MIN_SECONDS:
        times.append(run())
    return times


def flat_accesses(trace: Path) -> np.ndarray:
    """The block ids in order, renumbered 1, 2, ... (an object id of 0 is left to the library)."""
    lines = trace.read_text(encoding="utf-8").splitlines()
    ids = [block for line in lines if line.strip() for block in json.loads(line)["hash_ids"]]
    return np.unique(np.array(ids), return_inverse=True)[1].astype(np.int64) + 1


def write_oracle_general(ids: np.ndarray, path: Path) -> None:
    """24 bytes an access, little-endian, packed; `next` is the index of the next access, -1 for none."""
    order = np.argsort(ids, kind="stable")
    same = ids[order[1:]] == ids[order[:-1]]
    records = np.zeros(len(ids), ORACLE_GENERAL)
    records["id"], records["size"], records["next"] = ids, 1, -1
    records["next"][order[:-1][same]] = order[1:][same]
    records.tofile(path)


def libcachesim_runs(trace: Path, capacities: Sequence[int]) -> dict[str, Any]:
    """Each algorithm twice: as the library comes, and with a hash table fitted to the cache (`tuned`).

    The default hash table has 2**24 slots, and touching it costs more than the replay.
    """
    ids = flat_accesses(trace)
    out: dict[str, Any] = {"version": version("libcachesim")}
    algorithms = {"lru": lcs.LRU, "belady": lcs.Belady}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.oracleGeneral"
        write_oracle_general(ids, path)
        reader = lcs.TraceReader(str(path), lcs.TraceType.ORACLE_GENERAL_TRACE, lcs.ReaderInitParam())
        for name, algorithm in algorithms.items():
            for tuned in (False, True):
                label = f"{name} tuned" if tuned else name
                out[label] = {}
                for capacity in capacities:
                    settings: dict[str, Any] = {"cache_size": capacity, "consider_obj_metadata": False}
                    if tuned:
                        settings["hashpower"] = max(16, capacity.bit_length())
                    out[label][str(capacity)] = timed_replays(algorithm, settings, reader, len(ids))
    return out


def timed_replays(algorithm: Any, settings: dict[str, Any], reader: Any, accesses: int) -> dict[str, Any]:
    """Replay with a fresh cache each time; making the cache is outside the clock."""
    ratios = []

    def replay() -> float:
        cache = algorithm(**settings)
        start = time.perf_counter()
        ratios.append(cache.process_trace(reader)[0])
        return time.perf_counter() - start

    times = repeat(replay)
    return {
        "misses": round(ratios[-1] * accesses),
        "accesses": accesses,
        "replays": len(times),
        "seconds": min(times),
        "seconds_median": statistics.median(times),
        "settings": settings,
    }


def timed_sweep(
    trace: TraceData, policy: str, budgets_gib: list[float]
) -> tuple[list[float], dict[str, Any]]:
    result: dict[str, Any] = {}

    def replay() -> float:
        start = time.perf_counter()
        sweep = kvcache_sim.run_sweep(trace, model_id=MODEL_ID, policies=[policy], budgets_gib=budgets_gib)
        seconds = time.perf_counter() - start
        result.update(sweep)
        return seconds

    return repeat(replay), result


def kvcache_simulator_runs(trace_path: Path, capacities: Sequence[int]) -> dict[str, Any]:
    """Its C++ core is a process per call that loads the trace, builds the trie, then replays every budget.

    `seconds_call` is one whole call with one budget. The replay alone is a call with eight neighbouring
    budgets, `seconds_batch`, less a call with a budget of no blocks, `seconds_empty`, over eight;
    `best_replay` takes the best of each. The tool omits a budget that is not full when the measured half
    begins, and breaks off its replay: then all of these are null.
    """
    trace = parse_trace_file(trace_path, block_size=BLOCK_TOKENS)
    accesses = len(trace.ids)
    out: dict[str, Any] = {"version": version("kvcache-simulator"), "lru": {}, "optimal": {}}
    for policy in ("lru", "optimal"):
        _, meta = timed_sweep(trace, policy, [0.0])
        gib_per_block = meta["metadata"]["bytesPerBlock"] / kvcache_sim.BYTES_PER_GIB
        for capacity in capacities:
            # Half a block more than asked: the tool rounds a budget down to whole blocks.
            budgets = [(capacity + extra + 0.5) * gib_per_block for extra in range(NEIGHBOURS)]
            call, result = timed_sweep(trace, policy, budgets[:1])
            batch, _ = timed_sweep(trace, policy, budgets)
            empty, _ = timed_sweep(trace, policy, [0.0])
            point = result["points"][0] if result["points"] else None
            if point is not None and point["cacheBlocks"] != capacity:
                raise RuntimeError(f"asked for {capacity} blocks, played {point['cacheBlocks']}")
            reported = point["results"][policy] if point else {}
            out[policy][str(capacity)] = {
                "hit_rate": reported.get("hitRate"),
                "hit_tokens": reported.get("hitTokens"),
                "total_tokens": reported.get("totalTokens"),
                "accesses": accesses,
                "replays": len(batch) * NEIGHBOURS,
                "seconds_batch": min(batch) if point else None,
                "seconds_empty": min(empty) if point else None,
                "seconds_call": min(call) if point else None,
                "settings": {
                    "backend": result["metadata"]["backend"],
                    "model_id": MODEL_ID,
                    "block_size": BLOCK_TOKENS,
                    "budget_gib": budgets[0],
                    "cache_blocks": capacity,
                    "warmup_fraction": result["metadata"]["warmupFraction"],
                    "warmup_requests": result["metadata"]["warmupRequests"],
                    "bytes_per_block": result["metadata"]["bytesPerBlock"],
                    "estimate_tokens": result["metadata"]["estimateTokens"],
                },
            }
    return out


def best_replay(reports: Sequence[dict[str, Any]], tool: str, name: str, capacity: str) -> float | None:
    """The best seconds of one replay in several reports of this file; None where the tool broke off.

    A difference is taken of the best of all reports, not the best of their differences: where the call with
    no blocks met a slow moment, that would make the peer as fast as one likes.
    """
    found = [report[tool][name][capacity] for report in reports]
    if "seconds" in found[0]:
        return float(min(each["seconds"] for each in found))
    if found[0]["seconds_batch"] is None:
        return None
    best, none = (min(each[key] for each in found) for key in ("seconds_batch", "seconds_empty"))
    return float(best - none) / NEIGHBOURS


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("capacities", help="comma-separated numbers of blocks")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    capacities = sorted({int(part) for part in args.capacities.split(",")})
    report = {
        "trace": args.trace.name,
        "libcachesim": libcachesim_runs(args.trace, capacities),
        "kvcache-simulator": kvcache_simulator_runs(args.trace, capacities),
    }
    args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
