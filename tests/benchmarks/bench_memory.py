"""Peak memory and wall time of `kvtheory ratio` on 50 million block accesses: LRU, RLT and OPT.

    python tests/benchmarks/bench_memory.py

Two shapes: many short requests on a skewed tree, and few requests with very long paths. The peer is what the
block accesses alone take in libCacheSim's binary format, 24 bytes each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from outcome import Figure, arguments, less, machine, write

SPECS = ("zipf:documents=500000,blocks=18,requests=2500000", "gsp:groups=512")
OPTIONS = ["--capacity", "10%", "--policies", "lru,rlt", "--seeds", "1", "--json", "-"]
RECORD = 24
"""Bytes of an access in a file of libCacheSim's oracleGeneral."""


def measure(spec: str) -> dict[str, float | int | str]:
    """Run one workload in a process of its own; peak resident memory in GB (Linux counts in KiB)."""
    code = "import resource, sys; from kvtheory.cli import run; code = run(sys.argv[1:]); "
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    start = time.perf_counter()
    command = [sys.executable, "-c", code, "ratio", spec, *OPTIONS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return {
        "workload": spec,
        "accesses": found["accesses"],
        "nodes": found["nodes"],
        "peak_gb": round(int(done.stderr.split()[-1]) * 1024 / 1e9, 2),
        "wall_seconds": round(time.perf_counter() - start, 1),
    }


def figures(found: dict[str, Any]) -> list[Figure]:
    """Peaks."""
    return [
        less(
            f"{row['accesses'] / 1e6:.0f} M accesses of {row['workload'].partition(':')[0]}: peak",
            "GB",
            row["peak_gb"],
            "accesses as oracleGeneral",
            row["accesses"] * RECORD / 1e9,
        )
        for row in found["runs"]
    ]


def main() -> int:
    """Measure, print, and write results/memory.json; 1 if a peak reaches 3 GB."""
    options = arguments(__doc__, __file__).parse_args()
    measure("zipf:documents=20,blocks=2,requests=200")  # what compiles has its own peak
    rows = [measure(spec) for spec in SPECS]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    found = {"machine": machine(), "runs": rows}
    write(options.out, found | {"figures": figures(found)})
    return int(any(float(row["peak_gb"]) >= 3 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
