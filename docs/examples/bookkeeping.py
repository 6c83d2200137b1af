"""What `tests/benchmarks/bench_live.py` measured: the scheduler's time under each policy, and an eviction's."""

import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "tests" / "benchmarks" / "results" / "live.json"

found = json.loads(FILE.read_text(encoding="utf-8"))
blocks, depth = found["blocks"], found["depth"]
print(
    f"vLLM {found['versions']['vllm']}, {blocks:,} blocks, {depth} evicted for each request; one prompt's TTFT"
)
print(f"with a small model on this {found['device']['kind']}: {found['ttft_us'] / 1000:,.0f} ms")
print(
    f"{'':<14} {'scheduler':>12} {'more than stock':>16} {'one eviction':>13} {'its table, many leaves':>23}"
)
for row in found["rows"]:
    times = [row["eviction_us"], row["many_leaves_us"]]
    eviction, leaves = ("" if us is None else f"{us:.2f} us" for us in times)
    print(
        f"{row['variant']:<14} {row['request_us']:>9,.0f} us {row['over_ttft']:>8.3%} of TTFT"
        f" {eviction:>13} {leaves:>23}"
    )
