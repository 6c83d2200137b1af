"""What `tests/benchmarks/bench_live.py` measured: time of the scheduler under each policy, of an eviction."""

import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "tests" / "benchmarks" / "results" / "live.json"

found = json.loads(FILE.read_text(encoding="utf-8"))
seconds, device = found["ttft_us"] / 1e6, found["device"]["kind"]
print(f"vLLM {found['versions']['vllm']}, {found['blocks']:,} blocks, {found['depth']} evicted a request;")
print(f"TTFT of such a prompt with a small model, on this {device}: {seconds:.2f} s")
print(f"{'':<14} {'scheduler':>12} {'over stock':>17} {'one eviction':>13} {'its table, many leaves':>23}")
for row in found["rows"]:
    times = [row["eviction_us"], row["many_leaves_us"]]
    eviction, leaves = ("" if us is None else f"{us:.2f} us" for us in times)
    over = f"{row['over_ttft']:.3%} of TTFT"
    print(f"{row['variant']:<14} {row['request_us']:>9,.0f} us {over:>17} {eviction:>13} {leaves:>23}")
if "note" in found:
    print(found["note"])
