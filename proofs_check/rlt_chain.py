"""RLT's exact game against OPT, in small: marks, and the chance of each set of unmarked nodes.

By C1 (holes_are_leaf_deletions) the holes are uniform leaf deletions from the unmarked part U of the
cache that the phase began with, and their number is fixed by |U|, the marks and k. So the chances of U
say everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.rational_lp import solve_sparse
from kvtheory.ratio.work_function import work_functions
from proofs_check.deletions import alive, expected_hits

State = tuple[int, tuple[tuple[int, Fraction], ...]]
START: State = (0, ((0, Fraction(1)),))


def serve(game: Game, state: State, v: int) -> tuple[Fraction, Fraction, State]:
    """Expected clean nodes and expected misses of a request, and the state after it.

    A node is clean if it was not in the cache when the phase began and is requested for the first time in it.
    """
    marks, parts = state
    parents, path, k = game.parents[1:], game.paths[v], game.capacity
    if (marks | path).bit_count() > k:
        begun: dict[int, Fraction] = {}
        for rest, chance in parts:
            holes = max(0, rest.bit_count() + marks.bit_count() - k)
            for left, share in alive(parents, rest, holes).items():
                begun[marks | left] = begun.get(marks | left, Fraction(0)) + chance * share
        marks, parts = 0, tuple(begun.items())
    clean, stale = Fraction(0), Fraction(0)
    after: dict[int, Fraction] = {}
    for rest, chance in parts:
        holes = max(0, rest.bit_count() + marks.bit_count() - k)
        clean += chance * (path & ~marks & ~rest).bit_count()
        stale += chance * expected_hits(parents, rest, holes, path)
        after[rest & ~path] = after.get(rest & ~path, Fraction(0)) + chance
    return clean, clean + stale, (marks | path, tuple(sorted(after.items())))


@dataclass(frozen=True)
class Worst:
    """The largest ratio to OPT that a cycle of requests forces for ever.

    Attributes:
        clean: of the expected clean nodes, phase by phase.
        misses: of the expected misses.
        states: pairs of a state and a work function that were explored.
        complete: whether those are all; otherwise both ratios are lower bounds.
    """

    clean: Fraction
    misses: Fraction
    states: int
    complete: bool


def worst(game: Game, budget: int = 20_000) -> Worst:
    """Explore RLT's distributions together with OPT's work functions, from the empty cache."""
    works = work_functions(game)
    order = [(START, 0)]
    number = {order[0]: 0}
    served: dict[tuple[State, int], tuple[Fraction, Fraction, State]] = {}
    targets: list[list[int]] = []
    opt: list[list[int]] = []
    clean: list[list[Fraction]] = []
    misses: list[list[Fraction]] = []
    complete = True
    for state, q in order:  # grows while it is walked
        for table in (targets, opt):
            table.append([])
        for costs in (clean, misses):
            costs.append([])
        for r, v in enumerate(game.requestable):
            if (state, v) not in served:
                served[state, v] = serve(game, state, v)
            fresh, missed, after = served[state, v]
            pair = after, int(works.next[q, r])
            if pair not in number and len(order) < budget:
                number[pair] = len(order)
                order.append(pair)
            complete = complete and pair in number
            targets[-1].append(number.get(pair, -1))
            opt[-1].append(int(works.increase[q, r]))
            clean[-1].append(fresh)
            misses[-1].append(missed)
    ratios = [_largest(targets, table, opt) for table in (clean, misses)]
    return Worst(ratios[0], ratios[1], len(order), complete)


def clean_in_the_long_run(game: Game, cycle: Sequence[int]) -> Fraction:
    """Expected clean nodes over OPT where a cycle of requests is repeated for ever, exactly.

    Marks at the start of a round repeat, and then the unmarked nodes are a Markov chain with a step for each
    round. Its gain g and bias h solve g + h(before) = clean nodes + E[h(after)], h = 0 at one state; the
    system has one solution if the chain has one recurrent class, and sums of clean nodes are then g a round.

    Raises:
        ValueError: if the chain has several recurrent classes.
        AssertionError: if marks repeat with a period of more than one round.
    """
    works = work_functions(game)
    row = {v: r for r, v in enumerate(game.requestable)}
    q, opt, seen = 0, 0, dict[int, tuple[int, int]]()
    while q not in seen:
        seen[q] = len(seen), opt
        for v in cycle:
            opt += int(works.increase[q, row[v]])
            q = int(works.next[q, row[v]])
    first, paid = seen[q]
    per_round = Fraction(opt - paid, len(seen) - first)

    def one_round(state: State) -> tuple[Fraction, State]:
        clean = Fraction(0)
        for v in cycle:
            fresh, _, state = serve(game, state, v)
            clean += fresh
        return clean, state

    marks, parts = one_round(START)[1]
    order, equations, right = [rest for rest, _ in parts], [], []
    for rest in order:  # grows while it is walked
        clean, (after, parts) = one_round((marks, ((rest, Fraction(1)),)))
        if after != marks:
            raise AssertionError("marks do not repeat after a round")
        order += [left for left, _ in parts if left not in order]
        equation = {-1: Fraction(1), rest: Fraction(1)}
        for left, chance in parts:
            equation[left] = equation.get(left, Fraction(0)) - chance
        equations.append({c: x for c, x in equation.items() if x and c != order[0]})
        right.append(clean)
    return solve_sparse(equations, right)[-1] / per_round


def _largest(targets: list[list[int]], cost: list[list[Fraction]], opt: list[list[int]]) -> Fraction:
    scale = lcm(*(x.denominator for row in cost for x in row))
    whole = np.array([[int(x * scale) for x in row] for row in cost], dtype=object)
    if whole.max() < 1 << 40:
        whole = whole.astype(np.int64)
    found = maximum_cycle_ratio(np.array(targets, dtype=np.int32), whole, np.array(opt, dtype=np.int64))
    if found.ratio is None:
        raise AssertionError("RLT pays where OPT does not")
    return found.ratio / scale
