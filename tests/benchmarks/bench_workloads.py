"""Time and memory to make a million requests of each realistic workload.

    python tests/benchmarks/bench_workloads.py

Each is made in a process of its own; the memory is the peak beyond that of the imports. The peer is NumPy, in
the same process: as many uniform block ids as the workload has accesses, a workload without any structure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from outcome import Figure, arguments, less, machine, write

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
accesses, nodes, requests = trace.accesses, trace.tree.n, len(trace)
del trace
import numpy as np
start = time.perf_counter()
np.random.default_rng(0).integers(0, nodes, accesses)
drawn = time.perf_counter() - start
print(json.dumps({"spec": sys.argv[1], "requests": requests, "nodes": nodes, "accesses": accesses,
                  "seconds": round(seconds, 3), "mib": round(mib), "numpy_seconds": round(drawn, 3)}))
"""


def figures(found: dict[str, Any]) -> list[Figure]:
    """Seconds of each."""
    return [
        less(
            f"{row['requests'] / 1e6:.1f} M requests of {row['spec'].partition(':')[0]}"
            + (f", {row['spec'].split('move=')[1].partition(',')[0]}" if "move=" in row["spec"] else ""),
            "s",
            row["seconds"],
            "NumPy, as many uniform ids",
            row["numpy_seconds"],
        )
        for row in found["runs"]
    ]


def main() -> int:
    """Measure, print, and write results/workloads.json."""
    options = arguments(__doc__, __file__).parse_args()
    rows = []
    for spec in SPECS:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, spec], check=True, capture_output=True, text=True
        )
        rows.append(json.loads(done.stdout))
        row = rows[-1]
        made = f"{row['requests']} requests, {row['nodes']} nodes"
        print(f"{row['seconds']:6.2f} s  {row['mib']:5} MiB  {made}  {spec}")
    found = {"machine": machine(), "runs": rows}
    write(options.out, found | {"figures": figures(found)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
