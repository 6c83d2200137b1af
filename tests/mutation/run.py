"""Do the tests notice a changed sign? `make mutants`, or `python tests/mutation/run.py --help`.

A seeded sample of the mutants of five groups of files, spread evenly over their lines. Each mutant is written
into a copy of this checkout, and there the tests that import its module are run, then those of its group,
until one fails. What survives is read by a person: a test is written that kills it, or `EQUIVALENT` in
explained.py says why nothing could. The verdicts are in results.json.

mutmut and cosmic-ray would not do: mutmut switches mutants on inside the imported module, and the text of
templates and hooks reaches a kernel through files on disk (kvtheory/engine/codegen.py); cosmic-ray starts
Python for each mutant, which here takes longer than most tests: numba and scipy are loaded once, and forked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from explained import EQUIVALENT
from mutants_of import Mutant, mutants

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
GROUPS: dict[str, tuple[list[str], list[str]]] = {
    "model": (["kvtheory/model.py"], ["tests/test_model.py", "tests/engine/test_flat.py"]),
    "engine": (["kvtheory/engine/**/*.py"], ["tests/engine", "tests/live", "tests/routers"]),
    "offline": (["kvtheory/offline/*.py"], ["tests/offline"]),
    "ratio": (["kvtheory/ratio/*.py"], ["tests/ratio"]),
    "verifier": (["proofs_check/verify*.py"], ["tests/ratio/test_verify*.py", "tests/ratio/test_cert*.py"]),
}
"""Files, and where to look for a test that notices."""
SECONDS = 120
"""Of processor time for a mutant's tests: one that none of them has noticed by then has survived."""
SECONDS_A_TEST = 40
"""A test that takes longer has noticed: the mutant hangs."""
LEFT_OUT = ("kvtheory/engine/templates/hooks.py", "kvtheory/engine/templates/list_hooks.py")
"""Stand-ins, which `codegen` replaces by what a policy says."""
RELOADED = ("kvtheory", "adversaries", "proofs_check", "gpu_validation")


def sample(group: str, size: int, seed: int) -> list[Mutant]:
    """So many mutants of a group, at equal distances in its lines from a drawn beginning."""
    files = sorted({str(file.relative_to(ROOT)) for glob in GROUPS[group][0] for file in ROOT.glob(glob)})
    every = [
        m for f in files if f not in LEFT_OUT for m in mutants(f, (ROOT / f).read_text(encoding="utf-8"))
    ]
    step = len(every) / size
    start = random.Random(f"{seed} {group}").random() * step
    return [every[int(start + i * step)] for i in range(min(size, len(every)))]


def tests_of(mutant: Mutant, group: str) -> list[str]:
    """The test files that name the mutated module, those with its own name first; then the group's."""
    module = mutant.file.removesuffix(".py").replace("/", ".")
    parent, _, name = module.rpartition(".")
    named = re.compile(rf"{re.escape(module)}\b|from {re.escape(parent)} import .*\b{name}\b")
    near = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if "on_vllm" not in file.parts and named.search(file.read_text(encoding="utf-8"))
    ]
    near.sort(key=lambda file: (name not in file, file))
    listed = [str(p.relative_to(ROOT)) for place in GROUPS[group][1] for p in _test_files(place)]
    return list(dict.fromkeys([*near, *listed]))


def _test_files(place: str) -> list[Path]:
    return sorted(ROOT.glob(place if place.endswith(".py") else f"{place}/test_*.py"))


def copy_of_tree(folder: Path) -> Path:
    """A copy that mutants are written into."""
    for name in (*RELOADED, "tests", "docs", "pyproject.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "_build", ".hypothesis")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    return folder


class Patience:
    """A plugin of pytest: a test that takes too much processor time fails, and all of them end in time."""

    def __init__(self) -> None:
        self.end = time.process_time() + SECONDS

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        if time.process_time() > self.end:
            pytest.exit("no test noticed in time", returncode=0)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_A_TEST)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def out_of_time(*_: object) -> None:
    pytest.fail("takes too long")


def run_tests(folder: Path, tests: Sequence[str], output: Path) -> tuple[int, float]:
    """pytest's exit code in a process forked from this one, and the processor time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with output.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            signal.signal(signal.SIGVTALRM, out_of_time)
            resource.setrlimit(resource.RLIMIT_CPU, (3 * SECONDS, 3 * SECONDS + 1))
            os.chdir(folder)
            sys.path[0] = str(folder)
            options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=line", "-rfE"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            code = int(pytest.main([*options, *tests], plugins=[Patience()]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), spent


def judge(mutant: Mutant, group: str, folder: Path) -> dict[str, Any]:
    """One mutant's verdict: who killed it, or that it survived."""
    file = folder / mutant.file
    honest = file.read_text(encoding="utf-8")
    output = folder / "pytest.log"
    file.write_text(mutant.text, encoding="utf-8")
    tests = tests_of(mutant, group)
    start = time.monotonic()
    try:
        code, spent = run_tests(folder, tests, output)
    finally:
        file.write_text(honest, encoding="utf-8")
    said = output.read_text(encoding="utf-8", errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    if code and not failed and code > 0:
        raise RuntimeError(f"pytest said nothing of {mutant.key}: {code}\n{said[-3000:]}")
    by = failed.group(1) if failed else "time" if code else None
    verdict = "killed" if by else "survived"
    place = {"group": group, "file": mutant.file, "line": mutant.line, "was": mutant.was, "now": mutant.now}
    print(f"{time.monotonic() - start:6.0f} s {spent:5.0f} cpu  {verdict:9} {place}  {by}", flush=True)
    return {**place, "verdict": verdict, "by": by}


def same(result: dict[str, Any], mutant: Mutant) -> bool:
    return (result["file"], result["was"], result["now"]) == (mutant.file, mutant.was, mutant.now)


def explanation(result: dict[str, Any]) -> str | None:
    """Why a mutant is no fault, if a person has said so."""
    return EQUIVALENT.get((result["file"], result["was"], result["now"]))


def summary(results: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each group."""
    lines = []
    for group in GROUPS:
        of_group = [r for r in results if r["group"] == group]
        killed = sum(r["verdict"] == "killed" for r in of_group)
        explained = sum(r["verdict"] != "killed" and explanation(r) is not None for r in of_group)
        if of_group:
            share = 100 * killed / len(of_group)
            lines.append(
                f"{group:>9}: {killed} of {len(of_group)} killed ({share:.0f} %), {explained} equivalent, "
                f"{len(of_group) - killed - explained} survive"
            )
    return lines


def main() -> int:
    """0: at least 85 in 100 are killed in every group, and every survivor is explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=30, help="mutants of each group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--again", action="store_true", help="only those that survived in --results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    known = json.loads(asked.results.read_text(encoding="utf-8")) if asked.results.exists() else []
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    import hypothesis
    import matplotlib
    import networkx
    import numba
    import scipy.optimize

    del hypothesis, matplotlib, networkx, numba, scipy
    assert not any(name.partition(".")[0] in RELOADED for name in sys.modules), "the mutant would not be seen"
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        os.environ["KVTHEORY_CACHE_DIR"] = str(Path(made, "cache"))
        folder = copy_of_tree(Path(made))
        for group in asked.groups.split(","):
            for mutant in sample(group, asked.size, asked.seed):
                before = next((r for r in known if same(r, mutant)), None)
                if before and (before["verdict"] == "killed" or not asked.again):
                    continue
                known = [r for r in known if not same(r, mutant)] + [judge(mutant, group, folder)]
                text = ",\n".join(
                    json.dumps(r) for r in sorted(known, key=lambda r: (r["group"], r["file"], r["line"]))
                )
                asked.results.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(*summary(known), sep="\n")
    fine = all(r["verdict"] == "killed" or explanation(r) for r in known)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
