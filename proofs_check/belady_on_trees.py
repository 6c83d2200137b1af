"""Belady on trees is optimal for unit miss costs, and OPT on the tree is OPT of flat paging."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from kvtheory.testing.instances import all_trees
from proofs_check.flat import expansion, farthest_misses
from proofs_check.instances import all_traces, misses, random_instances
from proofs_check.theorem import Effort, Row, Theorem


def check(effort: Effort) -> Iterator[Row]:
    """Exhaustive against dynamic programming over all states, then random, then flat paging."""
    nodes, length, drawn = (4, 5, 300) if effort is Effort.QUICK else (5, 6, 6000)
    for bypass in (False, True):
        belady_total, brute_total, count = 0, 0, 0
        for n in range(1, nodes + 1):
            for parents in all_trees(n):
                for capacity in range(1, n + 1):
                    for trace in all_traces(parents, capacity, min(length, 7 - n // 2)):
                        schedule = belady(trace, capacity, bypass=bypass)
                        found = misses(trace, schedule.hit)
                        best = brute(trace.tree, trace.requests.tolist(), capacity, bypass=bypass)
                        if found != best:
                            yield Row(f"{parents}, k={capacity}, {trace.requests}", found, "==", best, 1)
                        belady_total, brute_total, count = (
                            belady_total + found,
                            brute_total + best,
                            count + 1,
                        )
        kind = "with" if bypass else "without"
        what = f"all shapes of at most {nodes} nodes, all sequences, {kind} bypass: total misses"
        yield Row(what, belady_total, "==", brute_total, count)
    tree_total, flat_total = 0, 0
    count = 0
    for instance in random_instances(10_000, drawn, nodes=12, length=30):
        found = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        flat = farthest_misses(expansion([instance.path(v) for v in instance.requests]), instance.capacity)
        if found != flat:
            yield Row(str(instance), found, "==", flat, 1)
        tree_total, flat_total, count = tree_total + found, flat_total + flat, count + 1
    yield Row("random: tree OPT = flat OPT of the expansion, total", tree_total, "==", flat_total, count)


THEOREM = Theorem(
    statement="Belady on trees is optimal for unit miss costs, with and without bypass; its cost is that of "
    "flat paging on the expansion r1..rd, rd..r1.",
    status="proved",
    where="docs/theory/belady.rst",
    check=check,
)
