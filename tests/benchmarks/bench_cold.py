"""Wall time of `kvtheory ratio` as a user meets it: first run after install (compiling), then warm.

    python tests/benchmarks/bench_cold.py [SOURCE]

Five policies, one capacity, one seed; each run is a process of its own, the first with an empty kernel cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"
RESULTS = Path(__file__).parent / "results" / "cold.json"
OPTIONS = ["--capacity", "10%", "--policies", "lru,fifo,lfu,random,rlt", "--seeds", "1", "--json", "-"]
WARM_RUNS = 5


def main() -> int:
    """Measure, print, and write results/cold.json."""
    source = sys.argv[1] if len(sys.argv) > 1 else str(REAL)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KVTHEORY_CACHE_DIR": folder}
        command = [sys.executable, "-m", "kvtheory", "ratio", source, *OPTIONS]
        seconds = []
        for _ in range(1 + WARM_RUNS):
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
    found = {"source": Path(source).name, "cold_seconds": seconds[0], "warm_seconds": sorted(seconds[1:])}
    print(f"cold {seconds[0]:.1f} s, warm {min(seconds[1:]):.2f} to {max(seconds[1:]):.2f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
