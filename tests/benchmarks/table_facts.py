"""What policies make of what requests say of themselves: on a real trace, and on workloads that say more.

python tests/benchmarks/table_facts.py TRACE FOLDER writes results.txt there, in some minutes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.object_policy import AnyPolicy
from kvtheory.policies.lpc import LPC
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.session_eta import SessionETA
from kvtheory.policies.tail_lru import TailLRU
from kvtheory.policies.workload_aware import WorkloadAware
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.sources import generate
from kvtheory.traces import read_trace

PERCENT = (1, 3, 10)
POLICIES: list[AnyPolicy] = [LeafLRU, TailLRU, SessionETA, WorkloadAware, LPC]
WORKLOADS = ("chat:sessions=600,block=64", "agents:tasks=150,block=64", "mixture")


def capacities(trace: Trace) -> list[int]:
    """x % of the nodes."""
    return [max(1, trace.tree.n * x // 100) for x in PERCENT]


def rates(trace: Trace, policies: list[AnyPolicy]) -> dict[str, list[float]]:
    """Hit rates in the second half, in percent, the first being warm-up; OPT's among them."""
    report = measure_ratios(trace, capacities(trace), policies, warmup=0.5)
    found = {
        policy.name: [run.policies[i].hit_rate for run in report.runs] for i, policy in enumerate(policies)
    }
    found["opt"] = [run.opt_hit_rate for run in report.runs]
    return {name: [100 * (rate or 0.0) for rate in row] for name, row in found.items()}


def late(trace: Trace, policy: AnyPolicy) -> list[float]:
    """Tokens a request computes beyond what is in time by TailLRU's cost model: mean over the second half."""
    above = trace.tree.path_sums(trace.tree.tokens)
    allowed, found = TailLRU.SPEED * (TailLRU.TARGET - TailLRU.FIXED), []
    for capacity in capacities(trace):
        hit = replay(trace.cut(capacity)[0], capacity, policy).hit
        missed = (above[trace.requests] - above[hit])[len(trace) // 2 :]
        found.append(float(np.maximum(missed - allowed, 0).mean()))
    return found


def row(name: str, values: list[float], unit: str = "") -> str:
    """One line of the table."""
    return f"{name:34}" + "".join(f"{value:10.2f}{unit}" for value in values)


def results(trace: Trace) -> str:
    """All tables."""
    head = f"{'':34}" + "".join(f"{f'{x} %':>10}" for x in PERCENT)
    lines = [f"hit rate, {trace.source.rpartition('/')[2]}", head]
    measured = rates(trace, POLICIES)
    lines += [row(name, values) for name, values in measured.items()]
    lines += ["", "share of the gap between lru and opt that is closed"]
    for policy in POLICIES[1:]:
        ends = zip(measured["lru"], measured[policy.name], measured["opt"], strict=True)
        lines.append(row(policy.name, [100 * (mid - low) / (high - low) for low, mid, high in ends]))
    lines += ["", "tokens beyond the target, a request"]
    lines += [row(policy.name, late(trace, policy)) for policy in (LeafLRU, TailLRU)]
    for spec in WORKLOADS:
        generated = generate(spec)
        lines += ["", f"hit rate, {spec}: {len(generated)} requests, {generated.tree.n} nodes", head]
        told, blind = rates(generated, POLICIES), rates(replace(generated, columns={}), POLICIES[2:])
        for name, values in told.items():
            lines.append(row(name, values))
            if name in blind and name != "opt":
                lines.append(row(f"{name}, told nothing", blind[name]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the tables."""
    trace, folder = read_trace(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.txt").write_text(results(trace), encoding="utf-8")


if __name__ == "__main__":
    main()
