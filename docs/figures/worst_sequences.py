"""Draws for every policy the worst sequence that is known, beside OPT, and writes the page that shows them.

python docs/figures/worst_sequences.py FOLDER
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import matplotlib as mpl
import numpy as np

from adversaries.forces import Forced, Forces, statements
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policy import Policy
from kvtheory.ratio.marginals import Marginals, held, marginals, misses
from kvtheory.registry import policies
from kvtheory.report.grid import Played, draw_grid
from kvtheory.sources import generate

WIDEST, NODES = 48, 12
CASES = {
    "adaptive": {"tree": "star:5", "k": 4, "requests": 30},
    "comb": {"teeth": 4, "k": 6, "requests": 30},
    "cyclic": {"prompts": 5, "requests": 30},
    "lfu_trap": {"k": 4, "popular": 2, "requests": 32},
    "marking_trap": {"k": 4, "phases": 7},
    "mru_trap": {"k": 4, "requests": 30},
    "random_trap": {"tree": "star:4", "k": 3, "rounds": 4, "phases": 3},
    "rlt_trap": {"legs": 4, "phases": 10},
}
"""Sizes at which a sequence can be looked at; a family that is not named here is not drawn."""

HEAD = """Worst known sequences
=====================

For every policy the sequence of :doc:`/theory/adversaries` that costs it most in the long run,
among those that are drawn here, at sizes that can be looked at. Time runs across and the tree down.
What is asked for is blue where it is cached and red where it is missed; for a policy that draws the
two are mixed by the exact chance. What else is cached is grey. Drawn and counted while this page was
built.

"""

SECTION = """{name}
{line}

`{spec}`, capacity {k}: {paid:.4g} misses against {best}; in the long run {limit}.

.. figure:: figures/worst_{name}.svg
   :alt: {name} and OPT on {spec}

"""


def worst(policy: type[Policy]) -> tuple[Forces, str, Forced]:
    """The drawn statement that forces the largest ratio on the policy in the long run."""
    found = []
    for statement in statements():
        if statement.name in CASES and policy in statement.victims():
            case = CASES[statement.name]
            named = {"policy": policy.name} if "policy" in statement.parameters() else {}
            found.append((statement, statement.spec(**case, **named), statement.at(**case)))
    if not found:
        raise SystemExit(f"no sequence is known against {policy.name}: add one to adversaries/")
    infinite = Fraction(10**9)  # what has no limit comes first; a statement about the policy by its name, too
    return max(found, key=lambda f: (f[2].limit or infinite, isinstance(f[0].against, tuple)))


def optimum(trace: Trace, capacity: int) -> Marginals:
    """What Belady has cached before each request."""
    plan = belady(trace, capacity, witness=True)
    return held(trace, [step.tolist() for step in np.split(plan.victims, plan.offsets[1:-1])])


def main(folder: Path) -> None:
    """One picture per policy, and the page."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    page = HEAD
    for name, policy in sorted(policies().items()):
        statement, spec, forced = worst(policy)
        trace = generate(spec)
        assert trace.tree.n <= NODES
        assert len(trace) <= WIDEST, (spec, len(trace))
        players = [
            Played(name, marginals(trace, forced.capacity, policy)),
            Played("OPT", optimum(trace, forced.capacity)),
        ]
        draw_grid(trace, players).savefig(folder / f"worst_{name}.svg", metadata={"Date": None})
        paid, best = (sum(misses(trace.tree, trace.requests.tolist(), p.cached)) for p in players)
        relation = {"==": "=", ">=": "at least"}[statement.limit_is]
        limit = "without bound" if forced.limit is None else f"{statement.ratio} {relation} {forced.limit}"
        if forced.limit is not None and forced.limit.denominator > 999:
            limit = f"{statement.ratio}, {relation} {float(forced.limit):.3f}"
        page += SECTION.format(
            name=name,
            line="-" * len(name),
            spec=spec,
            k=forced.capacity,
            paid=float(paid),
            best=best,
            limit=limit,
        )
    (folder.parent / "worst.rst").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
