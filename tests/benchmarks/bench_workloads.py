"""Time and memory to make a million requests of each realistic workload.

    python tests/benchmarks/bench_workloads.py

Each is made in a process of its own; the memory is the peak beyond that of the imports.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

SPECS = (
    "chat:sessions=250000",
    "documents:visits=250000",
    "agents:tasks=75000",
    "rag:requests=1000000",
    "drift:requests=1000000,move=swap,period=1",
    "drift:requests=1000000,move=renew,period=1",
    "mixture:of=chat:sessions=100000+agents:tasks=25000+documents:visits=60000",
)
MEASURE = """
import json, resource, sys, time
from kvtheory.sources import generate, workloads
workloads()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = peak(), time.perf_counter()
trace = generate(sys.argv[1])
seconds, mib = time.perf_counter() - start, peak() - before
print(json.dumps({"spec": sys.argv[1], "requests": len(trace), "nodes": trace.tree.n,
                  "accesses": trace.accesses, "seconds": round(seconds, 2), "mib": round(mib)}))
"""
RESULTS = Path(__file__).parent / "results" / "workloads.json"


def main() -> int:
    """Measure, print, and write results/workloads.json."""
    rows = []
    for spec in SPECS:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, spec], check=True, capture_output=True, text=True
        )
        rows.append(json.loads(done.stdout))
        row = rows[-1]
        made = f"{row['requests']} requests, {row['nodes']} nodes"
        print(f"{row['seconds']:6.2f} s  {row['mib']:5} MiB  {made}  {spec}")
    RESULTS.parent.mkdir(exist_ok=True)
    found = {"python": platform.python_version(), "machine": platform.machine(), "runs": rows}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
