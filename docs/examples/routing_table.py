"""The committed evaluation of routers: means of five seeds, with half of their 95 % intervals."""

import csv
from pathlib import Path

FILE = Path(__file__).parents[1] / "_static" / "routing" / "table.csv"
COLUMNS = {"mean_latency": "latency s", "p95_latency": "p95 s", "mean_ttft": "TTFT s", "p95_ttft": "p95 s"}

with FILE.open(encoding="utf-8") as stream:
    rows = list(csv.DictReader(stream))
print("workload         router       policy  hit rate %     ", end="")
print(*(f"{name:>15}" for name in COLUMNS.values()), " requests/s  balance")
for i, row in enumerate(rows):
    if i and row["workload"] != rows[i - 1]["workload"]:
        print()
    half = float(row["hit_rate_ci95"] or 0)
    print(f"{row['workload']:<16} {row['router']:<12} {row['policy']:<6} ", end="")
    print(f"{100 * float(row['hit_rate']):>6.2f} ± {100 * half:<5.2f}", end=" ")
    for name in COLUMNS:
        print(f"{float(row[name]):>9.4g} ±{float(row[name + '_ci95'] or 0):>6.2g}", end="")
    print(f"{float(row['throughput']):>10.3f} {float(row['balance']):>8.3f}")
