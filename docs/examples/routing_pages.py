"""What the page size changes, from the committed runs."""

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "_static" / "routing" / "runs.jsonl"
rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
print("page  router       policy  hit rate %  latency s  p95 TTFT s  requests/s")
for row in rows:
    if row["part"] == "pages":
        print(
            f"{row['page']:>4}  {row['router']:<12} {row['policy']:<6} {100 * row['hit_rate']:>11.2f} "
            f"{row['mean_latency']:>10.4f} {row['p95_ttft']:>11.4f} {row['throughput']:>11.3f}"
        )
