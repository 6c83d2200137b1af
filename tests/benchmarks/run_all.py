"""Run every benchmark and put what they found into one table: ours, a peer's, their ratio and the last.

    make bench            (or: python tests/benchmarks/run_all.py [NAME...])

The measurements of each go to build/bench/NAME.json; the table to results/table.txt and results/table.json,
where benchmarks that are named replace their own rows. A ratio says how many times better ours is. `last` is
that of the table last committed or, for a figure that it lacks, of the committed results/NAME.json. What a
benchmark lacks is said in the table. One that needs torch or vLLM is run by the environment of `make
test-vllm`, where there is one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from outcome import RESULTS, machine, write

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
ENGINE = ROOT / ".venv-vllm" / "bin" / "python"
SHORTER = {"solvers": ["--quick"], "routers": ["2000"]}
"""Arguments of those that take long at their full size."""
EXTRAS = {"torch": "torch", "vllm": "vLLM", "libcachesim": "libCacheSim", "kvcache_sim": "kvcache-simulator"}
PATIENCE = 900
HEADS = ("benchmark", "quantity", "ours", "peer", "theirs", "ratio", "last", "change")


def run(name: str, interpreter: str = sys.executable) -> dict[str, Any]:
    """One benchmark in a process of its own: its figures, or what it needs or how it failed."""
    out = BUILD / f"{name}.json"
    out.unlink(missing_ok=True)
    start = time.perf_counter()
    command = [interpreter, str(HERE / f"bench_{name}.py"), "--out", str(out), *SHORTER.get(name, [])]
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"benchmark": name, "problem": f"failed: took more than {PATIENCE} s"}
    seconds = round(time.perf_counter() - start)
    if lacks := missing(done.stderr):
        if interpreter == sys.executable and lacks in ("torch", "vLLM") and ENGINE.exists():
            return run(name, str(ENGINE))
        return {"benchmark": name, "problem": f"not run: needs {lacks}"}
    sys.stderr.write(done.stderr)
    found: dict[str, Any] = {"benchmark": name, "seconds": seconds}
    if done.returncode:
        found["problem"] = f"failed: exit code {done.returncode}"
    if out.exists():
        found["figures"] = json.loads(out.read_text(encoding="utf-8"))["figures"]
    return found


def missing(stderr: str) -> str | None:
    """What an ended benchmark said that it needs."""
    last = stderr.strip().rpartition("\n")[2]
    if said := re.fullmatch(r"needs (.+)", last):
        return said[1]
    module = re.fullmatch(r"ModuleNotFoundError: No module named '(\w+)[\w.]*'", last)
    return EXTRAS.get(module[1]) if module else None


def last_ratios() -> dict[tuple[str, str, str], float]:
    """By benchmark, quantity and peer."""
    found: dict[tuple[str, str, str], float] = {}
    for file in sorted(RESULTS.glob("*.json")):
        for figure in committed(file).get("figures", []) if file.name != "table.json" else ():
            found[file.stem, figure["quantity"], figure["peer"]] = figure["ratio"]
    for each in committed(RESULTS / "table.json").get("benchmarks", []):
        for figure in each.get("figures", []):
            found[each["benchmark"], figure["quantity"], figure["peer"]] = figure["ratio"]
    return found


def committed(file: Path) -> dict[str, Any]:
    """A JSON as git has it, or as it stands where git does not know it."""
    command = ["git", "show", f"HEAD:./{file.name}"]
    shown = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    if shown.returncode == 0:
        return json.loads(shown.stdout)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def lines(benchmarks: list[dict[str, Any]]) -> list[str]:
    """The table: one line for a figure, one for what was not run."""
    rows = [HEADS]
    for each in benchmarks:
        name = each["benchmark"]
        for figure in each.get("figures", []):
            last = figure.get("last")
            rows.append(
                (
                    name,
                    figure["quantity"],
                    f"{number(figure['ours'])} {figure['unit']}",
                    figure["peer"],
                    number(figure["theirs"]),
                    f"{number(figure['ratio'])}x",
                    f"{number(last)}x" if last else "-",
                    f"{figure['ratio'] / last - 1:+.0%}" if last else "-",
                )
            )
        if "problem" in each:
            rows.append((name, each["problem"], "", "", "", "", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (2, 4, 5, 6, 7)
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def number(value: float) -> str:
    """Three digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def renewed(table: dict[str, Any], benchmarks: list[dict[str, Any]]) -> dict[str, Any]:
    """A table with the rows of these benchmarks in place of its own, which says so."""
    found = {each["benchmark"]: each for each in benchmarks}
    rows = [found.get(each["benchmark"], each) for each in table["benchmarks"]]
    return table | {"benchmarks": rows, "again": sorted({*table["again"], *found})}


def head(content: dict[str, Any]) -> str:
    """The machine, the versions, and how it went."""
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    again = f"; run again alone: {', '.join(content['again'])}" if content["again"] else ""
    return (
        f"{content['machine']}; {versions}; load {content['load']:.1f} at the start; "
        f"{content['minutes']} minutes{again}"
    )


def main() -> int:
    """Run them, print the table, keep it; 1 if a benchmark failed."""
    names = sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))
    if unknown := sorted(set(sys.argv[1:]) - set(names)):
        sys.exit(f"run_all: no benchmark '{unknown[0]}'; there are {', '.join(names)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    last, began = last_ratios(), time.perf_counter()
    content: dict[str, Any] = {"machine": machine(), "load": round(os.getloadavg()[0], 2), "again": []}
    content["versions"] = {name: version(name) for name in ("kvtheory", "numpy", "numba", "scipy", "highspy")}
    benchmarks = []
    for name in sys.argv[1:] or names:
        print(f"== {name}", flush=True)
        benchmarks.append(run(name))
        for figure in benchmarks[-1].get("figures", []):
            figure["last"] = last.get((name, figure["quantity"], figure["peer"]))
    content |= {"minutes": round((time.perf_counter() - began) / 60), "benchmarks": benchmarks}
    if sys.argv[1:]:
        content = renewed(json.loads((RESULTS / "table.json").read_text(encoding="utf-8")), benchmarks)
    table = [head(content), "", *lines(content["benchmarks"])]
    print("\n" + "\n".join(table))
    (RESULTS / "table.txt").write_text("\n".join(table) + "\n", encoding="utf-8")
    write(RESULTS / "table.json", content)
    return int(any(each.get("problem", "").startswith("failed") for each in benchmarks))


if __name__ == "__main__":
    sys.exit(main())
