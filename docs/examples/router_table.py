"""The committed runs of routers: means over seeds, and Student's t intervals (95 %)."""

import json
from collections import defaultdict
from pathlib import Path

from kvtheory.ratio.empirical import student_interval

FILE = Path(__file__).parents[1] / "_static" / "routers" / "study.jsonl"
OURS, SEEDS = "earliest_first_token", 5
WANTED = ("p95_ttft_s", "mean_ttft_s", "p99_ttft_s")


def pm(values, digits=2):
    """Mean and half the width of its interval."""
    low, high = student_interval(values)
    return f"{(low + high) / 2:.{digits}f} ± {(high - low) / 2:.{digits}f}"


found = defaultdict(dict)
for row in map(json.loads, FILE.read_text(encoding="utf-8").splitlines()):
    found[row["trace"], row["preset"], row["workers"], row["policy"], row["router"]][row["seed"]] = row
found = {key: [rows[seed] for seed in range(SEEDS)] for key, rows in found.items() if len(rows) == SEEDS}

groups = dict.fromkeys(key[:4] for key in found if key[0] == "conversation")
for trace, preset, workers, policy in groups:
    mine = {key[4]: rows for key, rows in found.items() if key[:4] == (trace, preset, workers, policy)}
    speed = next(iter(mine.values()))[0]["speed"]
    print(f"\n{preset}, {workers} workers, {policy}, trace at {speed} times its speed")
    print(f"{'':<31}{'p95 TTFT s':>18}{'mean':>18}{'p99':>18}{'hits %':>8}")
    for name, rows in sorted(mine.items(), key=lambda each: sum(row["p95_ttft_s"] for row in each[1])):
        cells = "".join(f"{pm([row[field] for row in rows]):>18}" for field in WANTED)
        hits = 100 * sum(row["hit_rate"] for row in rows) / SEEDS
        print(f"{name:<31}{cells}{hits:>8.1f}")

print(f"\n{'makespan, 4 workers':<30}{'ours s':>16}{'LBGR s':>16}{'ours less LBGR':>18}")
for trace, preset, workers, policy in dict.fromkeys(key[:4] for key in found if key[0] != "conversation"):
    ours, lbgr = (
        [row["makespan"] for row in found[trace, preset, workers, policy, router]]
        for router in (OURS, "lbgr")
    )
    less = pm([a - b for a, b in zip(ours, lbgr, strict=True)])
    print(f"{trace + ' ' + policy:<30}{pm(ours):>16}{pm(lbgr):>16}{less:>18}")
