"""Wall time of `kvtheory ratio` as a user meets it: first run after install (compiling), then warm.

    python tests/benchmarks/bench_cold.py [TRACE]

Five policies, one capacity, one seed; each run is a process of its own, the first with an empty kernel cache.
The peer is Python that imports NumPy, Numba and SciPy and ends: what any program on them takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from outcome import TRACE, Figure, arguments, less, machine, trace_file, write

OPTIONS = ["--capacity", "10%", "--policies", "lru,fifo,lfu,random,rlt", "--seeds", "1", "--json", "-"]
WARM_RUNS = 5
PEER = [sys.executable, "-c", "import numba, numpy, scipy.sparse"]


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def figures(found: dict[str, Any]) -> list[Figure]:
    """First run and the best warm one."""
    peer, imports = "importing NumPy, Numba, SciPy", min(found["import_seconds"])
    return [
        less("`ratio`, five policies, first run (compiles)", "s", found["cold_seconds"], peer, imports),
        less("`ratio`, five policies, warm", "s", min(found["warm_seconds"]), peer, imports),
    ]


def main() -> int:
    """Measure, print, and write results/cold.json."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("trace", type=Path, nargs="?", default=TRACE)
    options = parser.parse_args()
    source = trace_file(options.trace)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KVTHEORY_CACHE_DIR": folder}
        command = [sys.executable, "-m", "kvtheory", "ratio", str(source), *OPTIONS]
        seconds = [seconds_of(command, environment) for _ in range(1 + WARM_RUNS)]
        imports = [seconds_of(PEER, environment) for _ in range(WARM_RUNS)]
    found = {
        "machine": machine(),
        "source": source.name,
        "cold_seconds": seconds[0],
        "warm_seconds": sorted(seconds[1:]),
        "import_seconds": sorted(imports),
    }
    print(f"cold {seconds[0]:.1f} s, warm {min(seconds[1:]):.2f} to {max(seconds[1:]):.2f} s")
    write(options.out, found | {"figures": figures(found)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
