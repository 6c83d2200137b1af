"""What `tests/benchmarks/bench_batch.py` measured: thousands of requests a second."""

import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "tests" / "benchmarks" / "results" / "batch.json"

found = json.loads(FILE.read_text(encoding="utf-8"))
rows = found["requests_per_second"]
columns = [key for key in rows[0] if key not in ("tree", "capacity", "policy")]
print(f"{found['machine']}; devices: {', '.join(found['devices'])}; misses equal: {found['equal']}")
print(f"{'tree':<10} {'k':>2} {'policy':<6}" + "".join(f" {column:>10}" for column in columns))
for row in rows:
    cells = "".join(f" {row[column] / 1000:>10,.0f}" for column in columns)
    print(f"{row['tree']:<10} {row['capacity']:>2} {row['policy']:<6}{cells}")
