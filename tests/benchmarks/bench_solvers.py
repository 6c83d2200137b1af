"""How large an instance (requests x nodes) each exact solver proves optimal within 10 and 60 seconds.

    python tests/benchmarks/bench_solvers.py [--quick] [--solver NAME ...]

Against the textbook node-by-time integer program under the same HiGHS, and under CP-SAT of OR-tools where
`ortools` is installed; one thread each. Ours is timed whole: building, solving, the proof in integers, and
the replay. The others are timed without building, and are believed. Writes results/solvers.json and
prints a table: the largest size of which most, and of which all seeds were proved.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
from outcome import Figure, arguments, machine, more, write

from kvtheory.model import Trace
from kvtheory.offline.eviction_ilp import solve_ilp
from kvtheory.offline.flow import solve_flow
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.offline.program import IntegerProgram, Rows
from kvtheory.offline.relaxation import Relaxation

LIMITS = (10.0, 60.0)
SEEDS = (0, 1, 2)
PEERS = {
    "sessions-ilp": "sessions-textbook-highs",
    "ilp": "textbook-highs",
    "ilp-unit": "textbook-highs-unit",
    "flow-unit": "textbook-highs-unit",
    "routing-search": "routing-textbook-highs",
    "routing-ilp": "routing-textbook-highs",
}
"""The same problem as the textbook writes it, under HiGHS."""
Row = tuple[list[int], list[int], int]


def eviction_instance(step: int, seed: int, family: str = "uniform") -> tuple[Trace, int, list[int]]:
    """About 10 * sqrt(2)^step nodes and room for a fifth; cost = depth.

    `uniform`: a deep random tree and 4 requests per node, drawn uniformly. `sessions`: interleaved chats
    that share their first node and grow by one to three nodes a turn.
    """
    dice = random.Random(seed)
    nodes = round(10 * 2 ** (step / 2))
    if family == "sessions":
        return sessions(nodes, dice)
    capacity = max(3, nodes // 5)
    parents = [v if dice.random() < 0.6 else dice.randint(0, v) for v in range(nodes)]
    tree = Trace.from_parents(parents, []).tree
    fit = [v for v in range(1, nodes + 1) if tree.depth[v] <= capacity]
    trace = Trace.from_parents(parents, [dice.choice(fit) for _ in range(4 * nodes)])
    return trace, capacity, tree.depth.tolist()


def sessions(nodes: int, dice: random.Random) -> tuple[Trace, int, list[int]]:
    """Conversations of up to 12 nodes, a dozen open at a time."""
    parents, requests = [0], []
    chats: list[tuple[int, int]] = []
    while len(parents) < nodes:
        if not chats or (len(chats) < 12 and dice.random() < 0.3):
            chats.append((1, 1))
        at = dice.randrange(len(chats))
        tip, depth = chats[at]
        for _ in range(dice.randint(1, 3)):
            parents.append(tip)
            tip, depth = len(parents), depth + 1
        requests.append(tip)
        chats[at] = (tip, depth)
        if depth > 9:
            chats.pop(at)
    trace = Trace.from_parents(parents, requests)
    return trace, max(12, min(40, nodes // 5)), trace.tree.depth.tolist()


def routing_instance(requests: int, seed: int) -> tuple[Trace, int, int]:
    """Three workers of room 4, twelve nodes, alpha 1/20: the theory's setting."""
    dice = random.Random(seed)
    parents = [dice.randint(0, v) for v in range(12)]
    tree = Trace.from_parents(parents, []).tree
    fit = [v for v in range(1, 13) if tree.depth[v] <= 4]
    return Trace.from_parents(parents, [dice.choice(fit) for _ in range(requests)]), 3, 4


def textbook_eviction(trace: Trace, capacity: int, cost: list[int]) -> IntegerProgram:
    """Node by time: held[t,v] after request t, missed[t,v] on its path."""
    n, requests = trace.tree.n, trace.requests.tolist()
    parent = trace.tree.parent.tolist()
    paths = [set(trace.tree.path(v)) for v in requests]
    held = lambda t, v: t * n + v - 1  # noqa: E731
    columns = n * len(requests)
    rows: list[Row] = []
    price = [0] * columns
    for t, path in enumerate(paths):
        for v in range(1, n + 1):
            if v in path:
                rows.append(([held(t, v)], [-1], -1))
                before = [held(t - 1, v)] if t else []
                rows.append(([len(price), *before], [-1] * (1 + len(before)), -1))
                price.append(cost[v])
            elif t:
                rows.append(([held(t, v), held(t - 1, v)], [1, -1], 0))
            else:
                rows.append(([held(t, v)], [1], 0))
            if parent[v]:
                rows.append(([held(t, v), held(t, parent[v])], [1, -1], 0))
        rows.append(([held(t, v) for v in range(1, n + 1)], [1] * n, capacity))
    return IntegerProgram(np.array(price), np.ones(len(price), dtype=np.int64), Rows.of(rows))


def textbook_routing(
    trace: Trace, workers: int, capacity: int, alpha_cached: int, alpha_miss: int
) -> IntegerProgram:
    """THEORY's joint program, node by time by worker, workers interchangeable but for the first request."""
    n, requests = trace.tree.n, trace.requests.tolist()
    parent = trace.tree.parent.tolist()
    count = len(requests)
    y = lambda t, j: t * workers + j  # noqa: E731
    held = lambda t, v, j: count * workers + (t * n + v - 1) * workers + j  # noqa: E731
    missed = lambda t, v, j: held(t, v, j) + count * n * workers  # noqa: E731
    last = count * workers * (1 + 2 * n)
    equal: list[Row] = [([y(t, j) for j in range(workers)], [1] * workers, 1) for t in range(count)]
    rows: list[Row] = [([y(0, j)], [1], 0) for j in range(1, workers)]
    for j in range(workers):
        load: dict[int, int] = {last: -1}
        for t, v_t in enumerate(requests):
            path = trace.tree.path(v_t)
            load[y(t, j)] = alpha_cached * len(path)
            for v in range(1, n + 1):
                on_path = v in path
                before = [held(t - 1, v, j)] if t else []
                rows.append(
                    (
                        [held(t, v, j), *before, *([y(t, j)] if on_path else [])],
                        [1, *([-1] * (len(before) + on_path))],
                        0,
                    )
                )
                if on_path:
                    rows.append(([y(t, j), held(t, v, j)], [1, -1], 0))
                    rows.append(([y(t, j), missed(t, v, j), *before], [1, -1, *([-1] * len(before))], 0))
                    load[missed(t, v, j)] = alpha_miss - alpha_cached
                if parent[v]:
                    rows.append(([held(t, v, j), held(t, parent[v], j)], [1, -1], 0))
            rows.append(([held(t, v, j) for v in range(1, n + 1)], [1] * n, capacity))
        rows.append((list(load), list(load.values()), 0))
    cost = np.zeros(last + 1, dtype=np.int64)
    cost[last] = 1
    bound = np.ones(last + 1, dtype=np.int64)
    bound[last] = alpha_miss * sum(len(trace.tree.path(v)) for v in requests)
    return IntegerProgram(cost, bound, Rows.of(equal, equal=True) + Rows.of(rows))


def by_highs(program: IntegerProgram, limit: float) -> tuple[float, int | None]:
    """Seconds and optimum of an integer program under HiGHS, one thread; None if not proved in time."""
    relaxation = Relaxation(program)
    solver = relaxation.solver
    columns = program.cost.size
    solver.changeColsIntegrality(
        columns, np.arange(columns, dtype=np.int32), np.ones(columns, dtype=np.uint8)
    )
    for option, value in (("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("time_limit", limit)):
        solver.setOptionValue(option, value)
    began = time.perf_counter()
    solver.run()
    seconds = time.perf_counter() - began
    if solver.getModelStatus() != relaxation.optimal:
        return seconds, None
    return seconds, program.offset + round(solver.getInfo().objective_function_value)


def by_cp_sat(program: IntegerProgram, limit: float) -> tuple[float, int | None]:
    """The same under CP-SAT, one worker."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    x = [model.new_int_var(0, int(b), f"x{j}") for j, b in enumerate(program.bound)]
    order = np.argsort(program.rows.row, kind="stable")
    starts = np.searchsorted(program.rows.row[order], np.arange(len(program.rows) + 1)).tolist()
    column, value = program.rows.column[order].tolist(), program.rows.value[order].tolist()
    for i, (a, b) in enumerate(pairwise(starts)):
        left = cp_model.LinearExpr.weighted_sum([x[c] for c in column[a:b]], value[a:b])
        rhs = int(program.rows.rhs[i])
        model.add(left == rhs if program.rows.equal[i] else left <= rhs)
    model.minimize(cp_model.LinearExpr.weighted_sum(x, program.cost.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = limit
    began = time.perf_counter()
    status = solver.solve(model)
    seconds = time.perf_counter() - began
    return seconds, program.offset + round(solver.objective_value) if status == cp_model.OPTIMAL else None


def ours(solution: Any) -> tuple[float, int | None]:
    """Seconds and the value, if it was proved."""
    return solution.seconds, int(solution.value) if solution.optimal else None


def eviction_solvers() -> dict[str, Callable[[Trace, int, list[int], float], tuple[float, int | None]]]:
    """Name to solver, for costs equal to depth; `flow` and `ilp-unit` for unit costs."""
    return {
        "sessions-ilp": lambda trace, k, cost, s: ours(solve_ilp(trace, k, cost=cost, time_limit=s)),
        "sessions-textbook-highs": lambda trace, k, cost, s: by_highs(textbook_eviction(trace, k, cost), s),
        "sessions-textbook-cpsat": lambda trace, k, cost, s: by_cp_sat(textbook_eviction(trace, k, cost), s),
        "ilp": lambda trace, k, cost, s: ours(solve_ilp(trace, k, cost=cost, time_limit=s)),
        "textbook-highs": lambda trace, k, cost, s: by_highs(textbook_eviction(trace, k, cost), s),
        "textbook-cpsat": lambda trace, k, cost, s: by_cp_sat(textbook_eviction(trace, k, cost), s),
        "ilp-unit": lambda trace, k, _, s: ours(solve_ilp(trace, k, time_limit=s)),
        "flow-unit": lambda trace, k, _, s: ours(solve_flow(trace, k, time_limit=s)),
        "textbook-highs-unit": lambda trace, k, _, s: by_highs(
            textbook_eviction(trace, k, [1] * (trace.tree.n + 1)), s
        ),
    }


def routing_solvers() -> dict[str, Callable[[Trace, int, int, float], tuple[float, int | None]]]:
    """Name to solver of the joint problem."""

    def own(method: str) -> Callable[[Trace, int, int, float], tuple[float, int | None]]:
        return lambda trace, m, k, s: ours(
            solve_routing(trace, m, k, alpha_cached=1, alpha_miss=20, method=method, time_limit=s)
        )

    return {
        "routing-search": own("search"),
        "routing-ilp": own("ilp"),
        "routing-textbook-highs": lambda trace, m, k, s: by_highs(textbook_routing(trace, m, k, 1, 20), s),
        "routing-textbook-cpsat": lambda trace, m, k, s: by_cp_sat(textbook_routing(trace, m, k, 1, 20), s),
    }


def measure(name: str, limit: float, largest: int) -> Iterator[dict[str, Any]]:
    """Solve ever larger instances until most seeds are not proved within the limit."""
    routing = name.startswith("routing")
    for step in range(largest):
        rows = []
        for seed in SEEDS:
            if routing:
                requests = 6 + 2 * step
                trace, workers, capacity = routing_instance(requests, seed)
                seconds, value = routing_solvers()[name](trace, workers, capacity, limit)
            else:
                family = "sessions" if name.startswith("sessions") else "uniform"
                trace, capacity, cost = eviction_instance(step, seed, family)
                seconds, value = eviction_solvers()[name](trace, capacity, cost, limit)
            rows.append(
                {
                    "solver": name,
                    "seed": seed,
                    "requests": len(trace),
                    "nodes": trace.tree.n,
                    "size": len(trace) * trace.tree.n,
                    "seconds": round(seconds, 4),
                    "value": value,
                }
            )
            yield rows[-1]
            if sum(row["value"] is None for row in rows) > len(SEEDS) // 2:
                return


def solved(rows: list[dict[str, Any]], name: str, limits: tuple[float, ...]) -> dict[str, int]:
    """The largest size (median over seeds) of which most, and of which all, were proved within each limit."""
    steps: dict[int, list[dict[str, Any]]] = {}
    for at, row in enumerate(row for row in rows if row["solver"] == name):
        steps.setdefault(at // len(SEEDS), []).append(row)
    found = {}
    for limit in limits:
        for kind, least in (("most", len(SEEDS) // 2 + 1), ("all", len(SEEDS))):
            found[f"{limit:g} s {kind}"] = max(
                (
                    sorted(row["size"] for row in step)[len(SEEDS) // 2]
                    for step in steps.values()
                    if sum(row["value"] is not None and row["seconds"] <= limit for row in step) >= least
                ),
                default=0,
            )
    return found


def figures(found: dict[str, Any]) -> list[Figure]:
    """The largest instance that was proved for most seeds within the longer limit."""
    within = f"{found['limits'][-1]:g} s"
    sizes = {name: row[f"{within} most"] for name, row in found["summary"].items()}
    return [
        more(f"{name}: size proved in {within}", "requests x nodes", sizes[name], peer, sizes[peer])
        for name, peer in PEERS.items()
        if name in sizes and sizes.get(peer)
    ]


def main() -> None:
    """Measure, print, write."""
    parser = arguments(__doc__, __file__)
    parser.add_argument("--quick", action="store_true", help="2 seconds instead of 60, small instances")
    parser.add_argument("--solver", action="append", choices=[*eviction_solvers(), *routing_solvers()])
    options = parser.parse_args()
    limits = (0.5, 2.0) if options.quick else LIMITS
    names = options.solver or [*eviction_solvers(), *routing_solvers()]
    try:
        import ortools  # noqa: F401
    except ImportError:
        names = [name for name in names if "cpsat" not in name]
    rows: list[dict[str, Any]] = []
    if options.out.exists() and options.solver:
        rows = [row for row in json.loads(options.out.read_text())["runs"] if row["solver"] not in names]
    for name in names:
        for row in measure(name, limits[-1], 12 if options.quick else 40):
            print(json.dumps(row), flush=True)
            rows.append(row)
    values: dict[tuple[Any, ...], set[int]] = {}
    for row in rows:
        if row["value"] is not None:
            solver = row["solver"]
            kind = (solver.split("-")[0] in ("routing", "sessions"), solver.endswith("unit"))
            key = (solver.split("-")[0] if kind[0] else "", kind[1], row["size"], row["seed"])
            values.setdefault(key, set()).add(row["value"])
    disagreements = [key for key, found in values.items() if len(found) > 1]
    summary = {name: solved(rows, name, limits) for name in dict.fromkeys(row["solver"] for row in rows)}
    heads = [f"{limit:g} s {kind}" for limit in limits for kind in ("most", "all")]
    print(f"\n{'solver':26}" + "".join(f"{head:>14}" for head in heads) + "   (requests x nodes)")
    for name, found in summary.items():
        print(f"{name:26}" + "".join(f"{found[head]:14,}" for head in heads))
    print("disagreements:", disagreements or "none")
    content = {
        "limits": limits,
        "seeds": SEEDS,
        "machine": machine(),
        "versions": {name: version(name) for name in ("highspy", "pulp", "scipy", "numpy")},
        "summary": summary,
        "disagreements": disagreements,
    }
    write(options.out, content | {"figures": figures(content), "runs": rows})


if __name__ == "__main__":
    main()
