"""Belady on trees is optimal for unit miss costs, and OPT on the tree is OPT of flat paging."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from proofs_check.flat import expansion, farthest_misses
from proofs_check.instances import all_shapes, all_traces, random_traces
from proofs_check.theorem import Effort, Row, Theorem


def check(effort: Effort) -> Iterator[Row]:
    """Exhaustive against dynamic programming over all states, then random, then flat paging."""
    nodes, length, drawn = (4, 5, 300) if effort is Effort.QUICK else (5, 6, 6000)
    for bypass in (False, True):
        belady_total, brute_total, count = 0, 0, 0
        for n in range(1, nodes + 1):
            for parents in all_shapes(n):
                for capacity in range(1, n + 1):
                    for trace in all_traces(parents, capacity, min(length, 7 - n // 2)):
                        schedule = belady(trace, capacity, bypass=bypass)
                        misses = trace.accesses - int(trace.tree.depth[schedule.hit].sum())
                        best = brute(trace.tree, trace.requests.tolist(), capacity, bypass=bypass)
                        if misses != best:
                            yield Row(f"{parents}, k={capacity}, {trace.requests}", misses, "==", best, 1)
                        belady_total, brute_total, count = (
                            belady_total + misses,
                            brute_total + best,
                            count + 1,
                        )
        kind = "with" if bypass else "without"
        what = f"all shapes of at most {nodes} nodes, all sequences, {kind} bypass: total misses"
        yield Row(what, belady_total, "==", brute_total, count)
    tree_total, flat_total = 0, 0
    for _, capacity, trace in random_traces(1, drawn, nodes=12, length=30):
        schedule = belady(trace, capacity)
        misses = trace.accesses - int(trace.tree.depth[schedule.hit].sum())
        paths = [trace.tree.path(int(v)) for v in trace.requests]
        flat = farthest_misses(expansion(paths), capacity)
        if misses != flat:
            yield Row(f"{trace.tree.parent}, k={capacity}, {trace.requests}", misses, "==", flat, 1)
        tree_total, flat_total = tree_total + misses, flat_total + flat
    yield Row("random: tree OPT = flat OPT of the expansion, total", tree_total, "==", flat_total, drawn)


THEOREM = Theorem(
    statement="Belady on trees is optimal for unit miss costs, with and without bypass; its cost is that of "
    "flat paging on the expansion r1..rd, rd..r1.",
    status="proved",
    where="docs/theory/belady.rst",
    check=check,
)
