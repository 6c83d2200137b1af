"""Block accesses a second, side by side in one run: kvtheory, libCacheSim, kvcache-simulator.

    make bench            (or: python tests/benchmarks/bench_replay.py [TRACE])

One thread, after warm-up, replays repeated for at least a second; the best of them counts, for everyone. The
peers run in a process of their own (`peers.py`), before and after ours, and their best figures are taken.

libCacheSim plays flat paging: its speed is compared, its misses are not. It is run as it comes, against
which our targets are set, and with a hash table fitted to the cache ("tuned"). kvcache-simulator plays our
model, and the hit rates of its lru and optimal are printed beside ours, which must be equal. Our leaf-LRU and
Belady count every block access but touch runs of blocks, merged once per trace outside the clock
(`kvtheory/runs.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from outcome import TRACE, Figure, arguments, machine, more, trace_file, write
from peers import best_replay
from rich.console import Console
from rich.table import Table

from kvtheory.engine.kernel import prepare
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.ratio.capacity import parse_capacities
from kvtheory.ratio.empirical import Counter
from kvtheory.registry import policies
from kvtheory.runs import runs_of
from kvtheory.traces import read_trace

CAPACITIES = "1%,10%,30%"
MIN_SECONDS = 1.0
OURS = ("lru", "rlt", "fifo", "lfu", "random")
TARGETS = {("lru", "lru"): 50, ("rlt", "lru"): 10, ("belady", "belady"): 15}


def best_of(run: Any) -> float:
    """Best seconds of repeated calls, after one that warms up."""
    run()
    best, spent = float("inf"), 0.0
    while spent < MIN_SECONDS:
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    return best


def ours(trace: Trace, capacities: list[int]) -> dict[str, dict[str, float]]:
    """Seconds of our replays; a deterministic kernel starts from fresh arrays each time."""
    runs_of(trace)
    seconds: dict[str, dict[str, float]] = {}
    for name in OURS:
        seconds[name] = {
            str(k): best_of(lambda k=k, name=name: prepare(trace, k, policies()[name])()) for k in capacities
        }
    seconds["belady"] = {str(k): best_of(lambda k=k: belady(trace, k)) for k in capacities}
    return seconds


def run_peers(file: Path, capacities: list[int]) -> dict[str, Any]:
    """One run of `peers.py`, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "peers.json"
        script = Path(__file__).with_name("peers.py")
        arguments = [str(file), ",".join(map(str, capacities)), "--out", str(out)]
        subprocess.run([sys.executable, str(script), *arguments], check=True)
        return json.loads(out.read_text(encoding="utf-8"))


def hit_rates(trace: Trace, capacity: int) -> dict[str, float | None]:
    """Our hit rates as kvcache-simulator counts: tokens, the last half, OPT with bypass."""
    counter = Counter(trace, 0.5, "tokens")
    lru = counter.misses(prepare(trace, capacity, policies()["lru"])().hit)
    best = counter.misses(belady(trace, capacity, bypass=True).hit)
    return {"lru": counter.hit_rate(lru), "optimal": counter.hit_rate(best)}


def figures(found: dict[str, Any]) -> list[Figure]:
    """Speeds at the middle capacity, against libCacheSim as it comes and tuned, and kvcache-simulator."""
    speed = found["accesses_per_second"]
    at = sorted(speed["kvtheory lru"], key=int)[1]
    pairs = [(mine, f"libcachesim {peer}{tuned}") for mine, peer in TARGETS for tuned in ("", " tuned")]
    pairs += [("lru", "kvcache-simulator lru"), ("belady", "kvcache-simulator optimal")]
    return [
        more(
            f"{mine}, {int(at):,} blocks",
            "M accesses/s",
            speed[f"kvtheory {mine}"][at] / 1e6,
            peer.replace("libcachesim", "libCacheSim"),
            speed[peer][at] / 1e6,
        )
        for mine, peer in pairs
        if at in speed[peer]
    ]


def main() -> int:
    """Measure, print, and write results/replay.json."""
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    parser = arguments(__doc__, __file__)
    parser.add_argument("trace", type=Path, nargs="?", default=TRACE)
    options = parser.parse_args()
    file = trace_file(options.trace)
    trace = read_trace(file)
    capacities = parse_capacities(CAPACITIES, trace.tree.n)
    before = run_peers(file, capacities)
    seconds = ours(trace, capacities)
    after = run_peers(file, capacities)
    speed: dict[str, dict[str, float]] = {
        f"kvtheory {name}": {k: trace.accesses / s for k, s in row.items()} for name, row in seconds.items()
    }
    for tool in ("libcachesim", "kvcache-simulator"):
        for name in before[tool]:
            if name != "version":
                found = {str(k): best_replay((before, after), tool, name, str(k)) for k in capacities}
                speed[f"{tool} {name}"] = {k: trace.accesses / s for k, s in found.items() if s}
    screen = Console(highlight=False, width=110)
    table = Table(title=f"million block accesses a second, {file.name}", box=None, header_style="bold")
    for column in ("", *(f"{k:,} blocks" for k in capacities)):
        table.add_column(column, justify="left" if not column else "right")
    for label, row in speed.items():
        table.add_row(label, *(f"{row[str(k)] / 1e6:.1f}" if str(k) in row else "-" for k in capacities))
    screen.print(table)
    ratios: dict[str, dict[str, float]] = {}
    for (mine, peer), target in TARGETS.items():
        for variant in (peer, f"{peer} tuned"):
            label = f"kvtheory {mine} / libcachesim {variant}"
            row = {
                str(k): speed[f"kvtheory {mine}"][str(k)] / speed[f"libcachesim {variant}"][str(k)]
                for k in capacities
            }
            ratios[label] = row
            shown = "  ".join(f"{value:7.1f}x" for value in row.values())
            screen.print(f"{label:<48} {shown}   (asked: {target}x)")
    equal, reached = True, True
    for (mine, peer), target in TARGETS.items():
        reached &= min(ratios[f"kvtheory {mine} / libcachesim {peer}"].values()) >= target
    for k in capacities:
        for name, rate in hit_rates(trace, k).items():
            peer = before["kvcache-simulator"][name][str(k)]["hit_rate"]
            same = peer is None or abs(peer - rate) < 1e-12
            equal &= same
            verdict = "equal" if same else "DIFFERENT"
            screen.print(
                f"hit rate, {name:<8} {k:>7,} blocks: ours {rate:.12f}  theirs {peer:.12f}  {verdict}"
            )
    content = {
        "machine": machine(),
        "trace": file.name,
        "peers": {tool: before[tool]["version"] for tool in ("libcachesim", "kvcache-simulator")},
        "accesses_per_second": speed,
        "ratios": ratios,
        "hit_rates_equal": equal,
    }
    write(options.out, content | {"figures": figures(content)})
    return 0 if equal and reached else 1


if __name__ == "__main__":
    sys.exit(main())
