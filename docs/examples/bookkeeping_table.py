"""What `tests/benchmarks/bench_bookkeeping.py` measured of every policy, and of two peers in the same run."""

import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "tests" / "benchmarks" / "results" / "bookkeeping.json"
OPERATIONS = ("hit", "insertion", "eviction")


def cells(times):
    """Nanoseconds, or nothing; what is below the resolution of a difference is 0."""
    return "".join(f"{max(0, times[name]):>10,.0f}" for name in OPERATIONS) if times else " " * 30


found = json.loads(FILE.read_text(encoding="utf-8"))
print(f"{found['machine']}, numba {found['versions']['numba']}; load when it ended {found['load'][0]}")
print(f"{found['capacity']:,} blocks, prompts of {found['depth']}; nanoseconds a block; bytes a block")
print(f"{'':<18}{'':<15}{'in the simulator':>30}{'as in vLLM':>30}{'bytes':>17}")
print(
    f"{'':<18}{'replayed by':<15}"
    + 2 * "".join(f"{name:>10}" for name in OPERATIONS)
    + f"{'own':>8}{'all':>9}"
)
for row in found["peers"]:
    size = row["bytes"]
    print(f"{row['peer']:<33}{'':<30}{cells(row['live_ns'])}{size['own']:>8,.0f}{size['whole']:>9,.0f}")
for row in sorted(found["rows"], key=lambda each: (each["engine"] == "object", each["policy"])):
    times = cells(row["simulator_ns"]) + cells(row["live_ns"])
    size = row["bytes"]
    print(f"{row['policy']:<18}{row['engine']:<15}{times}{size['own']:>8,.0f}{size['whole']:>9,.0f}")

live = {row["policy"]: row["live_ns"] for row in found["rows"]}
peer = found["peers"][-1]
print(f"\na block that misses in a full cache, over {peer['peer']}:")
base = peer["live_ns"]["insertion"] + peer["live_ns"]["eviction"]
over = sorted((times["insertion"] + times["eviction"]) / base for times in live.values())
print(f"least {over[0]:.1f}, median {over[len(over) // 2]:.1f}, most {over[-1]:.1f} times")
