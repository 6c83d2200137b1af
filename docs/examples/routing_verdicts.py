"""The paper's factors beside those of the committed evaluation."""

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "_static" / "routing" / "verdicts.json"
UNITS = {"hit_rate": "hit rate", "mean_latency": "latency", "mean_ttft": "TTFT", "throughput": "throughput"}


def setting(row):
    memory = f"{100 * row['memory']:.0f} % of the KV memory"
    machine = f"{row['preset']}, {memory}, page {row['page']}"
    return f"{row['workload']}, {row['rate']:g}/s, {machine}, over {row['baseline']}"


found = json.loads(FILE.read_text(encoding="utf-8"))
for name, one in found["headlines"].items():
    print(f"{UNITS[name]}: the paper's up to {one['paper']:g} x")
    for label, key in (
        ("largest at 12/s, L40, all memory", "largest"),
        ("closest of all settings", "closest"),
        ("largest of all settings", "best"),
    ):
        print(f"  {label:<33} {one[key][name]:>9.4g} x  {setting(one[key])}")
near = found["together"]
print(f"closest to all four: {setting(near)}")
print("  " + ", ".join(f"{UNITS[name]} {near[name]:.4g} x" for name in UNITS))
