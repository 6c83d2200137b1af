"""Cache-aware with the published threshold and with one that GSP's matches exceed, beside LBGR; leaf-LRU."""

import json
from pathlib import Path

from adversaries.evaluation.tables import means

FILE = Path(__file__).parents[1] / "_static" / "routing" / "runs.jsonl"
rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
shown = ("cache_aware", "cache_aware:threshold=0.4", "lbgr")
print("workload         router                     hit rate %  latency s  p95 TTFT s")
for row in means([row for row in rows if row["part"] in ("table", "tuned")]):
    if row["workload"].startswith("gsp") and row["router"] in shown and row["policy"] == "lru":
        print(
            f"{row['workload']:<16} {row['router']:<26} {100 * row['hit_rate']:>10.2f} "
            f"{row['mean_latency']:>10.4f} {row['p95_ttft']:>11.4f}"
        )
