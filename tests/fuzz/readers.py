"""Everything that reads what a stranger wrote: valid inputs of each reader, and how to call it."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import damage
import numpy as np
import zstandard

from adversaries.gsp import gsp
from gpu_validation.results import cells, read, routed_cells
from gpu_validation.schema import ROUTED
from kvtheory.cli import run
from kvtheory.engine.arrivals import arrival_times
from kvtheory.engine.incidents import parse_incidents
from kvtheory.engine.presets import costs_of
from kvtheory.errors import InputError, KVTheoryError, VerificationError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.costs import read_costs
from kvtheory.offline.solve import solve
from kvtheory.offline.witness_file import write_witness
from kvtheory.ratio.capacity import parse_capacities
from kvtheory.ratio.emitted import read_emitted
from kvtheory.ratio.exact import emitted_policy, parse_instance, solve_exact
from kvtheory.ratio.players import select_players
from kvtheory.registry import select_routers
from kvtheory.report.atlas import read_atlas, table
from kvtheory.sources import generate
from kvtheory.sweep import read_plan
from kvtheory.traces import read_trace, request_formats, write_trace
from kvtheory.verify import verify_file
from proofs_check.verify import digest

ROOT = Path(__file__).parents[2]


@dataclass
class Reader:
    """One way in.

    Attributes:
        seeds: valid inputs.
        read: reads one file; raises what `refuses` holds, or nothing.
        damages: how inputs of this kind are damaged.
        refuses: what a bad input may raise, each of them one line and an exit code.
    """

    seeds: list[bytes]
    read: Callable[[Path], object]
    damages: tuple[damage.Damage, ...] = (damage.of_bytes,)
    refuses: tuple[type[KVTheoryError], ...] = (InputError,)
    suffix: str = ".json"


def readers(folder: Path) -> dict[str, Reader]:
    """Every reader by name; `folder` holds what is written to make the valid inputs."""
    lines, json_text = (damage.of_bytes, damage.of_lines), (damage.of_bytes, damage.of_json)
    proof = (InputError, VerificationError)
    found = {
        "trace": Reader(traces(folder), read_trace, lines),
        "packed trace": Reader(packed(traces(folder)), read_trace),
        "plan": Reader([PLAN], read_plan, lines, suffix=".toml"),
        "witness": Reader(witnesses(folder), verify_file, lines, proof),
        "certificate": Reader(certificates(), checked, (*json_text, resigned), proof),
        "emitted policy": Reader(emitted(), lambda file: read_emitted(str(file)), json_text),
        "costs": Reader(COSTS, lambda file: read_costs(str(file), TREE), json_text),
        "measured rows": Reader(ROWS, lambda file: costs_of(str(file)), json_text),
        "GPU run": Reader(gpu_runs(), gpu_run, json_text),
        "atlas": Reader([atlas_rows()], lambda file: table(read_atlas(file)), lines),
    }
    proofs = found["witness"].seeds[:1] + found["certificate"].seeds[:1]
    found["verify"] = Reader(proofs, command, (damage.of_bytes, damage.of_lines, resigned))
    words = {name: Reader([w.encode() for w in seeds], worded(call)) for name, (seeds, call) in WORDS.items()}
    return found | words


PLAN = b"""output = "results"
sources = ["trace.jsonl", "gsp:groups=8,block=64"]
capacity = "1%,10%"
policies = "lru,rlt"
seeds = 8
warmup = 0.5
measure = "tokens"
bypass = true
on_conflict = "split"
"""
TREE = PrefixTree.from_parents([0, 1, 1, 0])
COSTS = [
    b'[1, 2, "1/3", 0.5]',
    b'{"1": 1, "2": "5/2", "3": 0, "4": 2}',
    b"# costs\n1\n1/2\n\n3\n0.25\n",
    b"1,2\n3,4\n2,1/3\n4,5\n",
]
ROWS = [json.dumps([[16 * i, 64 + 8 * i * i, 0.01 + 0.002 * i * i] for i in range(9)]).encode()]


def traces(folder: Path) -> list[bytes]:
    """A generated trace in each format, with columns, and conversations in each shape."""
    trace = gsp(groups=2, prompts=3, block=256, seed=1)
    n = len(trace)
    columns = {"timestamp": np.arange(n) / 8, "output_length": np.full(n, 3), "session": np.arange(n) % 2}
    dressed = Trace(trace.tree, trace.requests, columns=columns, source="fuzz")
    written = []
    for name in request_formats():
        write_trace(dressed, str(folder / "seed.jsonl"), name)
        written.append((folder / "seed.jsonl").read_bytes())
    talk = [{"from": "human", "value": "What is paging?"}, {"from": "gpt", "value": "Moving pages."}]
    roles = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    talks = [{"id": "1", "conversations": talk * 2}, {"data": ["a b c", "d e", "f"]}, {"messages": roles * 2}]
    written += [json.dumps(one).encode() + b"\n" + json.dumps(one).encode() + b"\n" for one in talks]
    written += [json.dumps([one, one], indent=1).encode() for one in talks]
    return [*written, b'{"hash_ids": [1, 2, 3]}\n{"hash_ids": [1, 2]}\n{"hash_ids": []}\n']


def packed(plain: list[bytes]) -> list[bytes]:
    """The same as gzip and zstd, one of each in two members."""
    zstd = zstandard.ZstdCompressor()
    both = [pack(text) for text in plain for pack in (lambda t: gzip.compress(t, mtime=0), zstd.compress)]
    return [*both, both[0] * 2, both[1] * 2]


def witnesses(folder: Path) -> list[bytes]:
    """Schedules of the optimum, with and without bypass and costs."""
    trace = gsp(groups=2, prompts=3, block=512, seed=1)
    files = []
    for method, cost, bypass in (
        ("belady", "unit", False),
        ("belady", "unit", True),
        ("flow", "depth", True),
    ):
        found = solve(trace, 4, method, cost=cost, bypass=bypass)
        write_witness(folder / "seed.w", trace, 4, found.solution, bypass=bypass, cost=found.cost)
        files.append((folder / "seed.w").read_bytes())
    return files


PROVED: list[tuple[str, int, str, str | None]] = [
    *(("star:3", 2, "lru", None), ("0,0,1", 2, "fifo", None), ("star:3", 2, "random", None)),
    *(("0,0,1,0", 2, "marking", None), ("star:3", 2, "bucketing", None), ("star:3", 2, "mru", None)),
    *(("star:3", 2, "best-deterministic", None), ("0,0,0,1", 2, "best-deterministic", "2,3,4")),
    *(("0,0,1,0", 2, "best-randomized", None), ("0,0,0,1", 2, "best-randomized", "2,3,4")),
]
RATIOS: dict[str, str] = {}
"""Proved ratio by what is claimed of: instance, policy and automaton, as JSON."""


def certificates() -> list[bytes]:
    """Proofs of policies the verifier knows, of one it is given as a table, and of the best algorithms."""
    found = []
    for tree, capacity, policy, requestable in PROVED:
        proof = solve_exact(parse_instance(tree, capacity, requestable), policy, None).certificate()
        RATIOS[subject(proof)] = proof["claim"]["ratio"]
        found.append(json.dumps(proof).encode())
    return found


def subject(proof: dict[str, Any]) -> str:
    return json.dumps([proof[key] for key in ("instance", "policy", "automaton")], sort_keys=True)


def checked(file: Path) -> dict[str, Any]:
    """Verify a certificate. What is accepted of an instance we have solved must be true of it.

    Raises:
        AssertionError: if it is not.
    """
    found = verify_file(file)
    proof = json.loads(file.read_text(encoding="utf-8"))
    if found["schema"].startswith("kvtheory-certificate") and (known := RATIOS.get(subject(proof))):
        kind, claimed = proof["claim"]["kind"], value(proof["claim"]["ratio"])
        truth = value(known)
        true = {"exact": claimed == truth, "lower": claimed <= truth, "upper": claimed >= truth}[kind]
        assert true, f"proved {kind} {proof['claim']['ratio']}, and it is {known}"
    return found


def command(file: Path) -> None:
    """`kvtheory verify` itself: an exit code, and one line about what is wrong.

    Raises:
        AssertionError: for anything else.
        InputError: where it refuses, with that line.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["verify", str(file)])
    said = err.getvalue()
    assert (code, said.count("\n")) in ((0, 0), (1, 1), (2, 1)), said
    if code:
        raise InputError(said)


def value(text: str) -> Fraction | float:
    return float("inf") if text == "inf" else Fraction(text)


def resigned(rng: random.Random, data: bytes) -> bytes:
    """A certificate altered in its structure by someone who signs it again."""
    altered = damage.of_json(rng, data)
    try:
        proof = json.loads(altered)
        return json.dumps({**proof, "digest": digest(proof)}).encode()
    except (TypeError, ValueError, RecursionError):
        return altered


def emitted() -> list[bytes]:
    """Algorithms that `exact --emit-policy` writes."""
    games = [parse_instance("star:3", 2, None), parse_instance("0,0,0,1", 2, "2,3,4")]
    return [json.dumps(emitted_policy(solve_exact(game, "best-randomized", None))).encode() for game in games]


def gpu_runs() -> list[bytes]:
    """The committed run, made small."""
    whole = json.loads((ROOT / "gpu_validation/results/cpu/run.json").read_text(encoding="utf-8"))
    plan = whole["plan"]
    plan.update(workloads=plan["workloads"][:1], names=plan["names"][:2], repeats=2)
    whole["workloads"] = {name: whole["workloads"][name] for name in plan["workloads"]}
    wanted = plan["workloads"], plan["names"]
    of_plan = [r for r in whole["runs"] if r["workload"] in wanted[0] and r["policy"] in wanted[1]]
    whole["runs"] = [r for r in of_plan if r["repeat"] < 2]
    for one in whole["runs"]:
        one.update(requests=one["requests"][:6], simulated_hits=one["simulated_hits"][:6])
    routed = copy.deepcopy(whole)
    routed["schema"] = ROUTED
    routed["plan"].update(engines=2, routers=["skylb"])
    for one in routed["runs"]:
        served = {"served_by": [0, 1] * 3, "simulated_served_by": [0] * 6, "status": [one["status"]] * 2}
        one.update(router="skylb", **served)
    return [json.dumps(whole).encode(), json.dumps(routed).encode()]


def gpu_run(file: Path) -> object:
    found = read(file)
    return routed_cells(found) if found["schema"] == ROUTED else cells(found)


def atlas_rows() -> bytes:
    lines = (ROOT / "docs/_static/atlas/atlas.jsonl").read_bytes().splitlines(keepends=True)
    return b"".join(lines[:12])


def small(call: Callable[[str], object]) -> Callable[[str], object]:
    """The same, without asking for anything large: that is a long answer, and no fault."""

    def asked(text: str) -> object:
        return None if any(len(run) > 3 for run in re.findall(r"\d[\d_.eE+]*", text)) else call(text)

    return asked


WORDS: dict[str, tuple[list[str], Callable[[str], object]]] = {
    "tree": (["0,0,1,1", "star:4", "binary:2", "comb:3"], small(lambda t: parse_instance(t, 3, None))),
    "requestable": (["2,3", "terminals", "all"], lambda t: parse_instance("0,0,1,1", 2, t)),
    "capacity": (["1,10%,2.5%"], lambda t: parse_capacities(t, 100)),
    "policies": (["lru,rlt", "all", "fifo"], select_players),
    "routers": (["cache_aware:threshold=0.5:absolute=3,lbgr", "all", "skylb"], select_routers),
    "incidents": (["down:1@100-200,slow:2@50-300x2,clock@120+60"], parse_incidents),
    "arrivals": (["zero", "trace:2", "poisson:0.5"], lambda t: arrival_times(gsp(groups=2, prompts=2), t)),
    "workload": (
        ["gsp:groups=2,prompts=2,order=random,seed=1", "cyclic:prompts=3", "zipf:requests=9"],
        small(generate),
    ),
}  # fmt: skip
"""What is written as words on the command line."""


def worded(call: Callable[[str], object]) -> Callable[[Path], object]:
    """Read a file as one argument of the command line: what the shell hands over, so no NUL."""

    def read_words(file: Path) -> object:
        text = file.read_bytes().replace(b"\0", b"").decode("utf-8", "surrogateescape")
        return call(text)

    return read_words
