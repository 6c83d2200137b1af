"""The linear program of the best randomised algorithm that remembers OPT's work function alone.

Minimise rho over one distribution per work function, a potential per work function and, for every request, a
transport from the distribution before to the one after: `E[loads] - rho * increase + phi(after) - phi(before)
<= 0`. HiGHS solves it in floats, through PuLP; what it returns is a hint that others make exact.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.errors import LimitError
from kvtheory.model import IntArray
from kvtheory.offline.relaxation import quiet_highs
from kvtheory.ratio.minimax_orbits import Edge, Orbits
from kvtheory.ratio.rational_lp import solve_sparse

MOST_FLOWS = 2_000_000


@dataclass(frozen=True, eq=False)
class Hint:
    """The program's optimum, in floats.

    Attributes:
        rho: its value.
        probability: for each representative, the probability of a state by class (`Orbits.set_class`).
        members: for each representative, how many usable states each class has.
        weight: the dual of each edge: how often the adversary uses it.
        edges: the edges, in the order of `weight`.
        rows, columns: size of the program.
        seconds: time to build and solve it.
        basis: the optimal basis, to be solved exactly; None where the solver gave none.
        columns_of: for each representative, the program's column of each class.
    """

    rho: float
    probability: dict[int, dict[int, float]]
    members: dict[int, dict[int, int]]
    weight: list[float]
    edges: list[Edge]
    rows: int
    columns: int
    seconds: float
    basis: Basis | None
    columns_of: dict[int, dict[int, int]]

    def exact(self) -> dict[int, dict[int, Fraction]] | None:
        """`probability` in Fractions, from the basis; None if the basis is no vertex or not feasible."""
        if self.basis is None:
            return None
        value = self.basis.solve()
        if value is None:
            return None
        zero = Fraction(0)
        found = {q: {c: value.get(x, zero) for c, x in of.items()} for q, of in self.columns_of.items()}
        return found if all(x >= 0 for shares in found.values() for x in shares.values()) else None


@dataclass(frozen=True)
class Basis:
    """A vertex of the program: the basic columns, and the rows that hold with equality.

    Attributes:
        rows: terms and right-hand side of each tight row, basic columns only.
    """

    rows: list[tuple[dict[int, int], int]]

    def solve(self) -> dict[int, Fraction] | None:
        """The basic columns in Fractions; None if they are not determined."""
        try:
            return solve_sparse([terms for terms, _ in self.rows], [right for _, right in self.rows])
        except ValueError:
            return None


@dataclass
class _Builder:
    columns: int = 0
    rows: list[tuple[dict[int, int], bool, int]] = field(default_factory=list)

    def column(self) -> int:
        self.columns += 1
        return self.columns - 1

    def row(self, terms: Iterable[tuple[int, int]], right: int = 0, *, equal: bool = True) -> int:
        gathered: dict[int, int] = {}
        for c, x in terms:
            gathered[c] = gathered.get(c, 0) + x
        self.rows.append((gathered, equal, right))
        return len(self.rows) - 1

    def solve(self, objective: int) -> tuple[list[float], list[float], Basis | None]:
        """Minimise one column; values of the columns, duals of the rows, and the basis."""
        import highspy
        import pulp

        class QuietHiGHS(pulp.HiGHS):  # type: ignore[misc]
            """PuLP's HiGHS without its banner."""

            def createAndConfigureSolver(self, lp: Any) -> None:  # noqa: N802
                lp.solverModel = quiet_highs()

        problem = pulp.LpProblem("minimax", pulp.LpMinimize)
        new_variable = getattr(problem, "add_variable", pulp.LpVariable)  # the first from PuLP 3.3 on
        x = [new_variable(f"x{c:07d}", 0) for c in range(self.columns)]
        problem += pulp.LpAffineExpression([(x[objective], 1)])
        for i, (terms, equal, right) in enumerate(self.rows):
            left = pulp.LpAffineExpression([(x[c], a) for c, a in terms.items() if a])
            problem += (left == right if equal else left <= right), f"r{i}"
        problem.solve(QuietHiGHS(msg=False))
        if problem.sol_status != pulp.LpSolutionOptimal:
            raise LimitError(f"HiGHS stopped with status '{pulp.LpSolution[problem.sol_status]}'")
        duals = list(problem.solverModel.getSolution().row_dual)
        found = problem.solverModel.getBasis()
        basis = None
        if found.valid:
            basic = highspy.HighsBasisStatus.kBasic
            col_status, row_status = list(found.col_status), list(found.row_status)
            columns = {c for c, variable in enumerate(x) if col_status[variable.index] == basic}
            tight = [i for i in range(len(self.rows)) if row_status[i] != basic]
            kept = (self.rows[i] for i in tight)
            basis = Basis([({c: a for c, a in row.items() if c in columns}, b) for row, _, b in kept])
        return [variable.varValue or 0.0 for variable in x], duals, basis


def solve_program(orbits: Orbits, allowed: list[IntArray]) -> Hint:
    """Build the program over the allowed cache states and solve it.

    Args:
        orbits: work functions by orbit.
        allowed: the cache states that each work function's distribution may use.

    Raises:
        LimitError: if the program would be too large, or HiGHS found no optimum.
    """
    start = time.perf_counter()
    closed = orbits.works.instance.closed
    edges = list(orbits.edges())
    flows = sum(len(allowed[e.source]) * len(allowed[e.target]) for e in edges)
    if flows > MOST_FLOWS:
        raise LimitError(f"a program with {flows:,} flows; at most {MOST_FLOWS:,} are built")
    build = _Builder()
    rho = build.column()
    share: dict[int, dict[int, int]] = {}
    members: dict[int, dict[int, int]] = {}
    potential: dict[int, int] = {}
    for q in orbits.representatives:
        classes = orbits.set_class[q][allowed[q]].tolist()
        share[q] = {c: build.column() for c in sorted(set(classes))}
        members[q] = {c: classes.count(c) for c in share[q]}
        potential[q] = build.column()
        build.row([(share[q][c], n) for c, n in members[q].items()], 1)
    edge_rows = []
    for e in edges:
        leaving, arriving = allowed[e.source].tolist(), allowed[e.target].tolist()
        home = int(orbits.representative[e.target])
        loads = np.bitwise_count(closed[arriving][None, :] & ~closed[leaving][:, None]).tolist()
        flow = [[build.column() for _ in arriving] for _ in leaving]
        for i, row in zip(leaving, flow, strict=True):
            column = share[e.source][int(orbits.set_class[e.source][i])]
            build.row([*((f, 1) for f in row), (column, -1)])
        for n, j in enumerate(orbits.back[e.target][arriving].tolist()):
            column = share[home][int(orbits.set_class[home][j])]
            build.row([*((row[n], 1) for row in flow), (column, -1)])
        paid = [
            (f, cost)
            for row, costs in zip(flow, loads, strict=True)
            for f, cost in zip(row, costs, strict=True)
        ]
        tail = [(potential[home], 1), (potential[e.source], -1), (rho, -e.increase)]
        edge_rows.append(build.row([*paid, *tail], equal=False))
    value, dual, basis = build.solve(rho)
    probability = {q: {c: value[x] for c, x in share[q].items()} for q in share}
    weight = [abs(dual[i]) for i in edge_rows]
    seconds = time.perf_counter() - start
    size = len(build.rows), build.columns
    return Hint(value[rho], probability, members, weight, edges, *size, seconds, basis, share)
