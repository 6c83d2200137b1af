"""What policies with advice cost, against how wrong the advice is: on workloads and on a real trace.

python tests/benchmarks/table_advice.py TRACE FOLDER writes curves.jsonl, table.txt, curves.svg and
SHA256SUMS there, in about half an hour; without the trace its part is left out. Rows are kept in rows.part on
the way, and a second start goes on from there.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from kvtheory.advice.advised import advised
from kvtheory.advice.learned import PastWaits
from kvtheory.advice.oracle import Advice, Told, truth
from kvtheory.advice.predictor import NEVER, Expected
from kvtheory.advice.regret import wrong_evictions
from kvtheory.engine.kernel import replay
from kvtheory.engine.objects import replay_object
from kvtheory.hedge import Hedge
from kvtheory.model import Trace
from kvtheory.object_policy import AnyPolicy, Key, ObjectPolicy
from kvtheory.offline.belady import belady
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.predictive_marker import PredictiveMarker
from kvtheory.policies.rlt import RLT
from kvtheory.policies.robust_advice import RobustAdvice
from kvtheory.ratio.empirical import Counter, student_interval
from kvtheory.rng import SplitMix64
from kvtheory.sources import generate
from kvtheory.traces import read_trace

LEVELS = {
    "scaled": (0.0, 0.5, 1.0, 2.0, 4.0),
    "replaced": (0.0, 0.05, 0.2, 0.5, 1.0),
    "inverted": (0.0, 0.05, 0.2, 0.5, 1.0),
}
FEWER = {"scaled": (0.0, 0.5, 1.0, 2.0, 4.0), "replaced": (0.0, 0.2, 1.0), "inverted": (0.0, 0.05, 1.0)}
"""For the real trace, whose replays take seconds."""
WORDS = {
    "scaled": "waits times a lognormal factor, sigma",
    "replaced": "share replaced by chance",
    "inverted": "share turned round",
}
GAUSS_MEDIAN = 0.67449
"""Median of the absolute value of a standard Gaussian."""


class EverLate(Expected):
    """The flat rule: what has not come when it was expected is expected at once, for ever."""

    def offer(self, v: Key) -> None:
        self.stamp += 1
        self.stamps[v] = self.stamp
        heapq.heappush(self.far, [-self.when[v][0], self.stamp, v])

    def last(self, leaves: Any) -> Key | None:
        found = self._first(self.far, leaves, early=False)
        return None if found is None else found[2]


class FlatBlindOracle(BlindOracle):
    """Blind oracle as it is for flat caches: what is overdue stays."""

    name = "flat_blind_oracle"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.expected = EverLate()


POLICIES: tuple[type[ObjectPolicy], ...] = (BlindOracle, FlatBlindOracle, PredictiveMarker, RobustAdvice)


@dataclass(frozen=True)
class Case:
    """A workload, a cache and what is counted."""

    name: str
    whole: Trace
    percent: float
    warmup: float
    seeds: int
    levels: Mapping[str, Sequence[float]] = field(default_factory=lambda: LEVELS)

    @property
    def capacity(self) -> int:
        """Nodes of the cache."""
        return max(1, int(self.whole.tree.n * self.percent / 100))


def cases(trace: Path) -> Iterator[Case]:
    """Random order, several turns, skewed popularity and a small cache; and the real trace's second half."""
    yield Case("GSP, random order", generate("gsp:groups=64,prompts=32,block=128,seed=1"), 5, 0, 5)
    yield Case("chat, several turns", generate("chat:sessions=400,seed=1"), 3, 0, 5)
    yield Case("Zipf, small cache", generate("zipf:documents=300,blocks=4,requests=6000,seed=1"), 3, 0, 5)
    if trace.exists():
        yield Case("Mooncake, second half", read_trace(trace), 3, 0.5, 3, FEWER)


class Bench:
    """One case with what every row of it shares."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.trace, _ = case.whole.cut(case.capacity)
        self.counter = Counter(case.whole, case.warmup, "nodes")
        self.truth = truth(self.trace)
        hit = belady(self.trace, case.capacity).hit
        self.opt, self.opt_whole = self.counter.misses(hit), self._all(hit)

    def _all(self, hit: Any) -> int:
        return self.trace.accesses - int(self.trace.tree.depth[hit].sum(dtype=np.int64))

    def plain(self, policy: AnyPolicy) -> dict[str, Any]:
        """A row of a policy that needs no advice, or has its own."""
        seeds = self.case.seeds if policy.randomised() else 1
        runs = [replay(self.trace, self.case.capacity, policy, seed, victims=True) for seed in range(seeds)]
        wrong = [int(wrong_evictions(self.trace, self.case.capacity, run.victims).sum()) for run in runs]
        return self._row([self.counter.misses(run.hit) for run in runs], wrong)

    def told(self, policy: type[ObjectPolicy], kind: str, level: float) -> dict[str, Any]:
        """A row of a policy that is told the truth with an error."""
        missed, wrong, switches = [], [], []
        capacity, count = self.case.capacity, policy is BlindOracle
        for seed in range(self.case.seeds if level or policy.randomised() else 1):
            advice: Advice = getattr(self.truth, kind)(level, 1000 + seed)
            bound = advised(policy, partial(Told, advice))
            hit = np.empty(len(self.trace), np.int32)
            victims = np.empty(self.trace.accesses if count else 0, np.int32)
            minds: list[Any] = []
            evicted = replay_object(
                self.trace, capacity, bound, seed, hit, victims, lambda mind, m=minds: m or m.append(mind)
            )
            missed.append(self.counter.misses(hit))
            switches.append(minds[0].switches if isinstance(minds[0], Hedge) else 0)
            if count:
                wrong.append(int(wrong_evictions(self.trace, capacity, victims[:evicted]).sum()))
        return {**self._row(missed, wrong), "switches": sum(switches) / len(switches)}

    def _row(self, missed: Sequence[int], wrong: Sequence[int]) -> dict[str, Any]:
        ratios = [m / self.opt for m in missed]
        interval = student_interval(ratios)
        return {
            "ratio": round(sum(ratios) / len(ratios), 4),
            "ci95": [round(x, 4) for x in interval] if interval else None,
            "seeds": len(missed),
            "wrong_per_opt": round(sum(wrong) / len(wrong) / self.opt_whole, 4) if wrong else None,
        }

    def learned_sigma(self) -> float:
        """The lognormal error whose median is that of the learned waits of what returns."""
        mind, found = PastWaits(), []
        advice, first = self.truth, int(self.case.warmup * len(self.trace))
        for t, v in enumerate(self.trace.requests.tolist()):
            said = np.array(mind.predict(self.trace.tree.path(v)))
            true = advice.when[advice.start[t] : advice.start[t + 1]]
            back = true < NEVER
            if t >= first:
                found += np.abs(np.log((said[back] - t) / (true[back] - t))).tolist()
        return float(np.median(found)) / GAUSS_MEDIAN


Cell = tuple[str, str, float | None]


def cells(case: Case) -> Iterator[Cell]:
    """What is measured of a case: policy, advice and level."""
    for policy in (LeafLRU, RLT, *POLICIES):
        yield policy.name, "none", None
    yield "past_waits", "sigma", None
    for kind, levels in case.levels.items():
        for level in levels:
            for policy in POLICIES:
                yield policy.name, kind, level


def measure(bench: Bench, cell: Cell) -> dict[str, Any]:
    """One cell."""
    name, kind, level = cell
    if name == "past_waits":
        return {"sigma": round(bench.learned_sigma(), 2)}
    policy = {p.name: p for p in (LeafLRU, RLT, *POLICIES)}[name]
    return bench.plain(policy) if level is None else bench.told(policy, kind, level)


def rows(trace: Path, known: Mapping[tuple[str, Cell], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Everything, a dictionary a row; what is known is not measured again."""
    for case in cases(trace):
        bench = Bench(case)
        for cell in cells(case):
            head = {"workload": case.name, "capacity": case.capacity, "opt": bench.opt}
            place = dict(zip(("policy", "advice", "level"), cell, strict=True))
            yield known.get((case.name, cell)) or {**head, **place, **measure(bench, cell)}


def shown(row: dict[str, Any]) -> str:
    """A ratio with half its interval."""
    half = f" ±{(row['ci95'][1] - row['ci95'][0]) / 2:.3f}" if row["ci95"] else ""
    return f"{row['ratio']:.3f}{half}"


def table(found: Sequence[dict[str, Any]]) -> str:
    """Cost over OPT, a row for each error and a column for each policy."""
    lines: list[str] = []
    for name in dict.fromkeys(row["workload"] for row in found):
        mine = [row for row in found if row["workload"] == name]
        by = {(row["policy"], row["advice"], row["level"]): row for row in mine}
        lines += [f"{name}: capacity {mine[0]['capacity']}, OPT misses {mine[0]['opt']}"]
        lines += [f"{'':22}" + "".join(f"{p.name:>20}" for p in POLICIES) + f"{'wrong / OPT':>14}"]
        told = [(row["advice"], row["level"]) for row in mine if row["level"] is not None]
        for kind, level in [*dict.fromkeys(told), ("none", None)]:
            of = [by[p.name, kind, level] for p in POLICIES]
            label = "learned" if level is None else f"{kind} {level:g}"
            wrong = f"{of[0]['wrong_per_opt']:>14.3f}"
            lines += [f"{label:22}" + "".join(f"{shown(row):>20}" for row in of) + wrong]
        sigma = by["past_waits", "sigma", None]["sigma"]
        lines += [f"median error of learned waits: that of sigma = {sigma}"]
        for policy in (LeafLRU, RLT):
            row = by[policy.name, "none", None]
            lines += [f"{policy.name:22}{shown(row):>20}, wrong evictions / OPT {row['wrong_per_opt']:.3f}"]
        lines += [""]
    return "\n".join(line.rstrip() for line in lines)


def draw(found: Sequence[dict[str, Any]], file: Path) -> None:
    """A row of panels for each workload, a column for each kind of error."""
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    names = list(dict.fromkeys(row["workload"] for row in found))
    figure = Figure(figsize=(11, 2.6 * len(names)), layout="constrained")
    for i, name in enumerate(names):
        mine = [row for row in found if row["workload"] == name]
        for j, kind in enumerate(LEVELS):
            axes = figure.add_subplot(len(names), len(LEVELS), len(LEVELS) * i + j + 1)
            for n, policy in enumerate(POLICIES):
                line = [r for r in mine if r["policy"] == policy.name and r["advice"] == kind]
                ends = [r["ci95"] or [r["ratio"]] * 2 for r in line]
                half = [(high - low) / 2 for low, high in ends]
                levels = [r["level"] for r in line]
                style = {"fmt": ("o-", "x:", "s-", "d--")[n], "ms": 4, "lw": 1, "color": f"C{n}"}
                axes.errorbar(
                    range(len(levels)), [r["ratio"] for r in line], half, label=policy.name, **style
                )
            for n, policy in enumerate((LeafLRU, RLT)):
                height = next(r["ratio"] for r in mine if r["policy"] == policy.name)
                axes.axhline(height, color="0.4", lw=0.9, ls=("-", "-.")[n], label=policy.name)
            learned = next(
                r["ratio"] for r in mine if r["policy"] == "blind_oracle" and r["advice"] == "none"
            )
            axes.axhline(learned, color="C0", lw=0.9, ls=(0, (1, 3)), label="blind_oracle, learned")
            axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
            axes.tick_params(labelsize="x-small")
            if j == 0:
                axes.set_ylabel(f"{name}\nmisses / OPT", fontsize="small")
            if i == len(names) - 1:
                axes.set_xlabel(WORDS[kind], fontsize="small")
            if i == j == 0:
                figure.legend(loc="outside upper center", ncols=4, fontsize="x-small")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure, then write the rows, the table and the picture."""
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "rows.part"
    kept = [json.loads(line) for line in part.read_text().splitlines()] if part.exists() else []
    known = {(r["workload"], (r["policy"], r["advice"], r["level"])): r for r in kept}
    found = []
    for row in rows(Path(sys.argv[1]), known):
        found.append(row)
        if row not in kept:
            with part.open("a") as file:
                file.write(json.dumps(row) + "\n")
    (folder / "curves.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    (folder / "table.txt").write_text(table(found), encoding="utf-8")
    draw(found, folder / "curves.svg")
    names = ("curves.jsonl", "curves.svg", "table.txt")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    part.unlink()


if __name__ == "__main__":
    main()
