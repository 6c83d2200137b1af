"""What incidents cost each router, from the committed runs."""

import json
from pathlib import Path

from adversaries.evaluation.pictures import recovery

FILE = Path(__file__).parents[1] / "_static" / "routing" / "incidents.json"
incident = None
for row in recovery(json.loads(FILE.read_text(encoding="utf-8"))):
    if row["incident"] != incident:
        incident = row["incident"]
        print(
            f"{incident}\n  router       worst p95 TTFT s  without s  seconds to recover  sent again  served"
        )
    seconds = "not by the end" if row["seconds"] is None else f"{row['seconds']:.0f}"
    served = f"{row['served']:>7} of {row['requests']}"
    print(f"  {row['router']:<12} {row['worst']:>16.2f} {row['usual']:>10.2f} {seconds:>19}", end=" ")
    print(f"{row['resent']:>11} {served}")
