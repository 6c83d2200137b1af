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
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from explained import EQUIVALENT
from mutants_of import Mutant, mutants

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
GROUPS: dict[str, tuple[list[str], list[str]]] = {
    "model": (
        ["kvtheory/model.py"],
        ["tests/test_model.py", "tests/engine/test_flat.py", "tests/test_traces.py"],
    ),
    "engine": (
        ["kvtheory/engine/**/*.py"],
        [
            "tests/engine",
            "tests/live",
            "tests/routers",
            "tests/ratio/test_automaton.py",
            "tests/test_cli_route.py",
        ],
    ),
    "offline": (["kvtheory/offline/*.py"], ["tests/offline", "tests/test_cli_opt.py"]),
    "ratio": (["kvtheory/ratio/*.py"], ["tests/ratio", "tests/test_cli_*.py"]),
    "verifier": (["proofs_check/verify*.py"], ["tests/ratio/test_verify*.py", "tests/ratio/test_cert*.py"]),
}
"""Files, and where to look for a test that notices."""
SECONDS = 90
"""Of processor time for a mutant's tests: one that none of them has noticed by then has survived."""
SECONDS_A_TEST = 40
"""A test that takes longer has noticed: the mutant hangs."""
PRELOADED = {"verifier": ("best_samples", "kvtheory.ratio.game", "kvtheory.registry")}
"""What may be there, compiled, before the mutant: it knows nothing of the mutated files."""
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, modulo 1, are spread more evenly than any others."""
NEAR = {
    **dict.fromkeys(("ranked", "weighted"), "test_flat"),
    **dict.fromkeys(("live", "live_table"), "node_table"),
    **dict.fromkeys(("lists", "objects", "kvtheory.engine.kernels"), "object_kernels"),
    **{
        "steps": "automaton",
        "recency_fleet": "test_fleet",
        "workers": "test_cluster",
        "presets": "cli_route",
    },
    **dict.fromkeys(("closure", "branch", "exchange", "rounding", "program", "intervals"), "eviction_ilp"),
    **dict.fromkeys(("routing_program", "routing_search", "worker_costs"), "makespan_ilp"),
    **dict.fromkeys(("witness_file", "costs", "solve"), "cli_opt"),
    **dict.fromkeys(("instance", "product", "cycle", "cover", "programme", "walk"), "test_game"),
    **dict.fromkeys(("emitted", "players"), "test_played"),
    **{
        f"minimax_{part}": "test_minimax"
        for part in ("adversary", "algorithm", "chain", "game", "lp", "orbits", "policy")
    },
    **{"rational_lp": "minimax_rational", "symmetry": "automaton", "best": "certificate_best"},
    **{"verify_policies": "test_verify", "verify_rules": "test_verify"},
}
"""What the tests of a module are called, where they do not have its name."""
LEFT_OUT = ("kvtheory/engine/templates/hooks.py", "kvtheory/engine/templates/list_hooks.py")
"""Stand-ins, which `codegen` replaces by what a policy says."""
RELOADED = ("kvtheory", "adversaries", "proofs_check", "gpu_validation")


def sample(group: str, size: int, seed: int) -> list[Mutant]:
    """So many mutants of a group, spread evenly over its lines; a larger sample holds the smaller."""
    files = sorted({str(file.relative_to(ROOT)) for glob in GROUPS[group][0] for file in ROOT.glob(glob)})
    every = [
        m for f in files if f not in LEFT_OUT for m in mutants(f, (ROOT / f).read_text(encoding="utf-8"))
    ]
    start = random.Random(f"{seed} {group}").random()
    places = dict.fromkeys(int((start + i * GOLDEN) % 1 * len(every)) for i in range(10 * len(every)))
    return list(islice((every[at] for at in places if every[at].changes()), size))


def tests_of(mutant: Mutant, group: str) -> list[str]:
    """Test files of the group: those called like the module, or NEAR it, those that name it, the others."""
    module = mutant.file.removesuffix(".py").replace("/", ".")
    parent, _, name = module.rpartition(".")
    named = re.compile(rf"{re.escape(module)}\b|from {re.escape(parent)} import .*\b{name}\b")
    close = NEAR.get(parent, name) if parent in NEAR else NEAR.get(name, name)
    listed = list(dict.fromkeys(p for place in GROUPS[group][1] for p in _test_files(place)))
    text = {file: file.read_text(encoding="utf-8") for file in listed}
    listed.sort(key=lambda file: (close not in file.stem, not named.search(text[file])))
    return [str(file.relative_to(ROOT)) for file in listed]


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

    def __init__(self, seconds: int) -> None:
        self.end = time.process_time() + seconds

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


def run_tests(folder: Path, tests: Sequence[str], output: Path, seconds: int) -> tuple[int, float]:
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
            resource.setrlimit(resource.RLIMIT_CPU, (seconds + 99, seconds + 100))
            os.chdir(folder)
            options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=line", "-rfE"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            patience = Patience(seconds)
            for test in tests:  # one by one: to collect them all takes longer than to run the first
                code = int(pytest.main([*options, test], plugins=[patience]))
                if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                    break
            else:
                code = 0
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


def judge(mutant: Mutant, group: str, folder: Path, seconds: int) -> dict[str, Any]:
    """One mutant's verdict: who killed it, or that it survived."""
    file = folder / mutant.file
    honest = file.read_text(encoding="utf-8")
    output = folder / "pytest.log"
    file.write_text(mutant.text(), encoding="utf-8")
    tests = tests_of(mutant, group)
    start = time.monotonic()
    try:
        code, spent = run_tests(folder, tests, output, seconds)
    finally:
        file.write_text(honest, encoding="utf-8")
    said = output.read_text(encoding="utf-8", errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    if code and not failed and code > 0:
        raise RuntimeError(f"pytest said nothing of {mutant.file}:{mutant.line}: {code}\n{said[-3000:]}")
    by = failed.group(1) if failed else "time" if code else None
    verdict = "killed" if by else "survived"
    place = {"group": group, "file": mutant.file, "line": mutant.line, "text": text_of(mutant)}
    place |= {"was": mutant.was, "now": mutant.now}
    print(f"{time.monotonic() - start:6.0f} s {spent:5.0f} cpu  {verdict:9} {place}  {by}", flush=True)
    return {**place, "verdict": verdict, "by": by}


def text_of(mutant: Mutant) -> str:
    """The line that is changed, for its number changes with every edit; one word with the line above it."""
    lines = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    line = lines[mutant.line - 1].strip()
    return line if " " in line else f"{lines[mutant.line - 2].strip()} {line}"


def same(result: dict[str, Any], mutant: Mutant) -> bool:
    found = (result["file"], result["text"], result["was"], result["now"])
    return found == (mutant.file, text_of(mutant), mutant.was, mutant.now)


def explanation(result: dict[str, Any]) -> str | None:
    """Why a mutant is no fault, if a person has said so."""
    return EQUIVALENT.get((result["file"], result["text"], result["now"]))


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


def read_results(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return found


def attack(group: str, asked: argparse.Namespace, folder: Path) -> None:
    """Judge the mutants of a group that have no verdict yet; what they need is loaded once."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if group not in PRELOADED:
        os.environ |= {"NUMBA_DISABLE_JIT": "1", "KVTHEORY_CACHE_DIR": str(folder / "cache")}
    sys.path[0:1] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests/ratio")]
    for module in (
        "hypothesis",
        "matplotlib",
        "networkx",
        "numba",
        "scipy.optimize",
        *PRELOADED.get(group, ()),
    ):
        importlib.import_module(module)
    sys.path[0] = str(folder)
    chosen = sample(group, asked.size, asked.seed)
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    assert not loaded & {str(ROOT / mutant.file) for mutant in chosen}, "the mutant would not be seen"
    for mutant in chosen:
        known = read_results(asked.results)
        before = next((r for r in known if same(r, mutant)), None)
        if before and (before["verdict"] == "killed" or explanation(before) or not asked.again):
            continue
        rows = [r for r in known if not same(r, mutant)] + [judge(mutant, group, folder, asked.seconds)]
        rows.sort(key=lambda r: (r["group"], r["file"], r["line"]))
        text = ",\n".join(json.dumps(row) for row in rows)
        asked.results.write_text(f"[\n{text}\n]\n", encoding="utf-8")


def main() -> int:
    """0: at least 85 in 100 are killed in every group, and every survivor is explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=30, help="mutants of each group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of processor time for a mutant")
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--again", action="store_true", help="only those that survived in --results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    groups = asked.groups.split(",")
    if len(groups) > 1:  # each in a process that has not seen the files of another
        for group in groups:
            options = [f"--size={asked.size}", f"--seed={asked.seed}", f"--seconds={asked.seconds}"]
            options.append(f"--results={asked.results}")
            command = [sys.executable, __file__, *options, *["--again"] * asked.again, f"--groups={group}"]
            subprocess.run(command, check=False)
    else:
        with tempfile.TemporaryDirectory(prefix="mutants-") as made:
            attack(groups[0], asked, copy_of_tree(Path(made)))
    known = read_results(asked.results)
    print(*summary(known), sep="\n")
    fine = all(r["verdict"] == "killed" or explanation(r) for r in known)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
