"""Peak memory and wall time of `kvtheory ratio` on 50 million block accesses: LRU, RLT and OPT.

    python tests/benchmarks/bench_memory.py

Two shapes: many short requests on a skewed tree, and few requests with very long paths.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

SPECS = ("zipf:documents=500000,blocks=18,requests=2500000", "gsp:groups=512")
OPTIONS = ["--capacity", "10%", "--policies", "lru,rlt", "--seeds", "1", "--json", "-"]
RESULTS = Path(__file__).parent / "results" / "memory.json"


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


def main() -> int:
    """Measure, print, and write results/memory.json; 1 if a peak reaches 3 GB."""
    rows = [measure(spec) for spec in SPECS]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(any(float(row["peak_gb"]) >= 3 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
