"""Hunts the cycle of requests on which RLT is worst, by random changes, and proves what it finds exactly.

    python tests/benchmarks/hunt_rlt.py [--seconds S] [--seed N]

writes docs/_static/requestable/rlt_hunt.json. Two goals: the ratio of RLT to OPT beside 2 H_w - 1, and the
clean nodes of the phases, the sum of E[c_i], beside OPT. Floats look for cycles; the exact ratio of each row
is then computed in Fractions from a Markov chain. Time is shared: another machine tries more or less.
"""
# ruff: noqa: NPY002 - numba compiles numpy's old generator

from __future__ import annotations

import argparse
import hashlib
import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from numba import njit

from kvtheory.model import PrefixTree
from kvtheory.testing.instances import Parents, all_trees, broom, comb, depths, spider, star
from kvtheory.width import harmonic, width

FILE = Path(__file__).parents[2] / "docs" / "_static" / "requestable" / "rlt_hunt.json"
LONGEST, REPEATS, MOST_STATES, PROVABLE, LARGER = 24, 6, 90, 300, 8
GOALS = ("misses", "clean")


class Table:
    """Closed sets of a small tree by size, and where requests and evictions lead."""

    def __init__(self, parents: Parents, capacity: int) -> None:
        self.parents, self.capacity = parents, capacity
        n = len(parents)
        depth = depths(parents)
        self.path = [0]
        for v, parent in enumerate(parents, 1):
            self.path.append(self.path[parent] | 1 << v - 1)
        closed = [0]
        for v, parent in enumerate(parents, 1):
            above = self.path[parent]
            closed += [mask | 1 << v - 1 for mask in closed if mask & above == above]
        most = capacity + max(d for d in depth if d <= capacity)
        closed = sorted((m for m in closed if m.bit_count() <= most), key=lambda m: (m.bit_count(), m))
        index = {mask: i for i, mask in enumerate(closed)}
        self.requests = np.array([v for v in range(1, n + 1) if depth[v] <= capacity])
        self.masks = np.array(closed)
        self.add = np.array([[index.get(m | p, -1) for p in self.path] for m in closed], dtype=np.int32)
        self.drop = np.full((len(closed), n), -1, dtype=np.int32)
        for i, mask in enumerate(closed):
            for v in range(1, n + 1):
                below = mask & ~(1 << v - 1)
                if below != mask and below in index:
                    self.drop[i, v - 1] = index[below]
        self.paths = np.array(self.path)
        self.size = np.bitwise_count(self.masks).astype(np.int64)


@njit
def replay(cycle, rounds, masks, add, drop, paths, size, capacity):
    """Expected misses and clean nodes of RLT, and OPT's misses, over the second half of the rounds."""
    n = drop.shape[1]
    chance = np.zeros(masks.size)
    chance[0] = 1.0
    clean_chance = np.ones(n)
    marks, misses, clean = 0, 0.0, 0.0
    length = cycle.size
    following = np.zeros(n, np.int64)
    cached = 0
    paid = 0
    for t in range(length * rounds):
        counted = t >= length * (rounds - rounds // 2)
        path = paths[cycle[t % length]]
        union, count = marks | path, 0
        for v in range(n):
            count += union >> v & 1
        if count > capacity:
            marks = 0
            union = path
            clean_chance[:] = 1.0
            for i in range(masks.size):
                if chance[i]:
                    for v in range(n):
                        if masks[i] >> v & 1:
                            clean_chance[v] -= chance[i]
        for v in range(n):
            if counted and path >> v & 1 and not marks >> v & 1:
                clean += clean_chance[v]
        marks = union
        for i in range(masks.size - 1, -1, -1):
            if chance[i] and masks[i] & path != path:
                j = add[i, cycle[t % length]]
                if counted:
                    misses += chance[i] * (size[j] - size[i])
                chance[j] += chance[i]
                chance[i] = 0.0
        for i in range(masks.size - 1, -1, -1):
            if size[i] <= capacity:
                break
            if chance[i]:
                free = 0
                for v in range(n):
                    free += drop[i, v] >= 0 and not marks >> v & 1
                share = chance[i] / free
                for v in range(n):
                    if drop[i, v] >= 0 and not marks >> v & 1:
                        chance[drop[i, v]] += share
                chance[i] = 0.0
        # Belady on the tree
        held = 0
        for v in range(n):
            if path >> v & 1 and not cached >> v & 1:
                paid += counted
            cached |= path & 1 << v
            held += cached >> v & 1
        if held > capacity:
            for v in range(n):
                following[v] = length + 1
                for ahead in range(1, length + 1):
                    if paths[cycle[(t + ahead) % length]] >> v & 1:
                        following[v] = ahead
                        break
            while held > capacity:
                victim, farthest = -1, -1
                for v in range(n):
                    if cached >> v & 1 and not path >> v & 1:
                        leaf = True
                        for u in range(n):
                            if u != v and cached >> u & 1 and paths[u + 1] >> v & 1:
                                leaf = False
                        if leaf and following[v] > farthest:
                            victim, farthest = v, following[v]
                cached &= ~(1 << victim)
                held -= 1
    return misses, clean, paid


@njit
def climb(start, steps, seed, goal, requests, masks, add, drop, paths, size, capacity):
    """Random changes of a cycle that do not lower its ratio; the best cycle, its ratio."""
    np.random.seed(seed)
    best = start.copy()
    misses, clean, paid = replay(best, REPEATS, masks, add, drop, paths, size, capacity)
    score = (clean if goal else misses) / paid if paid else 0.0
    for _ in range(steps):
        kind = np.random.randint(4)
        length = best.size
        if kind == 0 and length < LONGEST:
            at = np.random.randint(length + 1)
            new = np.concatenate(
                (best[:at], requests[np.random.randint(requests.size)] + best[:1] * 0, best[at:])
            )
        elif kind == 1 and length > 3:
            at = np.random.randint(length)
            new = np.concatenate((best[:at], best[at + 1 :]))
        elif kind == 2:
            new = best.copy()
            i, j = np.random.randint(length), np.random.randint(length)
            new[i], new[j] = new[j], new[i]
        else:
            new = best.copy()
            new[np.random.randint(length)] = requests[np.random.randint(requests.size)]
        misses, clean, paid = replay(new, REPEATS, masks, add, drop, paths, size, capacity)
        found = (clean if goal else misses) / paid if paid else 0.0
        if found >= score - 1e-12:
            best, score = new, found
    return best, score


def exact(table: Table, cycle: list[int]) -> tuple[Fraction, Fraction] | None:
    """Exact long-run ratios of misses and of clean nodes to OPT; None if they are not found.

    Marks depend on the requests alone, so from some round on phases begin at the same places; seen from one
    of those, the cache is a Markov chain with a step for each round. Its stationary distribution, in
    Fractions, gives the averages. OPT is a table over all closed sets. Nothing of `replay` is used.
    """
    steady = from_a_phase(table, cycle)
    if steady is None:
        return None
    rows, todo = {}, [0]
    while todo:
        state = todo.pop()
        if state not in rows:
            rows[state] = one_round(table, steady, state)
            todo += rows[state][0]
        if len(rows) > MOST_STATES:
            return None
    stationary = balance({state: after for state, (after, _, _) in rows.items()})
    opt = optimum(table, steady)
    if stationary is None or not opt:
        return None
    misses = sum((p * rows[state][1] for state, p in stationary.items()), Fraction(0))
    clean = sum((p * rows[state][2] for state, p in stationary.items()), Fraction(0))
    return misses / opt, clean / opt


def from_a_phase(table: Table, cycle: list[int]) -> list[int] | None:
    """The cycle, several times over if phases need that, turned so that it begins with a phase."""
    marks, at_round, begins = 0, [], []
    for i in range(len(cycle) * 64):
        if i % len(cycle) == 0:
            if marks in at_round:
                break
            at_round.append(marks)
        if (marks | table.path[cycle[i % len(cycle)]]).bit_count() > table.capacity:
            marks = 0
            begins.append(i)
        marks |= table.path[cycle[i % len(cycle)]]
    first = at_round.index(marks) if marks in at_round else 64
    inside = [i for i in begins if i >= first * len(cycle)]
    if not inside:
        return None
    whole = cycle * (len(at_round) - first)
    turn = (inside[0] - first * len(cycle)) % len(whole)
    return whole[turn:] + whole[:turn]


def one_round(table: Table, cycle: list[int], state: int) -> tuple[dict[int, Fraction], Fraction, Fraction]:
    """From one cache state, at the beginning of a phase: where it leads, expected misses and clean nodes."""
    k, path = table.capacity, table.path
    chance, marks, missing = {state: Fraction(1)}, -1, {}
    misses = clean = Fraction(0)
    for v in cycle:
        if marks < 0 or (marks | path[v]).bit_count() > k:
            marks = 0
            missing = {
                u: 1 - sum((c for m, c in chance.items() if m >> u - 1 & 1), Fraction(0))
                for u in range(1, len(path))
            }
        clean += sum((missing[u] for u in missing if (path[v] & ~marks) >> u - 1 & 1), Fraction(0))
        marks |= path[v]
        after: dict[int, Fraction] = {}
        for m, c in chance.items():
            misses += c * (path[v] & ~m).bit_count()
            after[m | path[v]] = after.get(m | path[v], Fraction(0)) + c
        while (big := max(after, key=int.bit_count)).bit_count() > k:
            c = after.pop(big)
            inner = {table.parents[u - 1] for u in missing if big >> u - 1 & 1}
            free = [u for u in missing if (big & ~marks) >> u - 1 & 1 and u not in inner]
            for u in free:
                m = big & ~(1 << u - 1)
                after[m] = after.get(m, Fraction(0)) + c / len(free)
        chance = after
    return chance, misses, clean


def balance(rows: dict[int, dict[int, Fraction]]) -> dict[int, Fraction] | None:
    """The stationary distribution, by elimination; None if there are several."""
    states = list(rows)
    n = len(states)
    matrix = [[rows[s].get(t, Fraction(0)) - (s == t) for s in states] + [Fraction(0)] for t in states]
    matrix[0] = [Fraction(1)] * (n + 1)
    for i in range(n):
        pivot = next((j for j in range(i, n) if matrix[j][i]), None)
        if pivot is None:
            return None
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        top = [x / matrix[i][i] if x else x for x in matrix[i]]
        matrix[i] = top
        for j in range(n):
            if j != i and (factor := matrix[j][i]):
                matrix[j] = [x - factor * y if y else x for x, y in zip(matrix[j], top, strict=True)]
    return {state: matrix[i][n] for i, state in enumerate(states)}


def optimum(table: Table, cycle: list[int], rounds: int = 64) -> Fraction:
    """What OPT pays in a round in the long run: a table of the least cost of ending in each closed set."""
    path = table.path
    states = [m for m in table.masks.tolist() if m.bit_count() <= table.capacity]
    work = {m: m.bit_count() for m in states}
    seen: dict[tuple[int, ...], tuple[int, int]] = {}
    opt = 0
    for i in range(rounds):
        key = tuple(work.values())
        if key in seen:
            return Fraction(opt - seen[key][1], i - seen[key][0])
        seen[key] = i, opt
        for v in cycle:
            holding = {m: work[m] for m in states if m & path[v] == path[v]}
            for m in states:
                paid = work[m] + (path[v] & ~m).bit_count()
                holding |= {h: min(c, paid) for h, c in holding.items() if h & ~(m | path[v]) == 0}
            low = min(holding.values())
            opt += low
            work = {m: min(c + (m & ~h).bit_count() for h, c in holding.items()) - low for m in states}
    return Fraction(0)


def chains(*lengths: int) -> Parents:
    """Paths of the given lengths from the root."""
    parents: list[int] = []
    for length in lengths:
        parents += [0, *range(len(parents) + 1, len(parents) + length)]
    return tuple(parents)


def families() -> list[tuple[str, Parents]]:
    """Shapes larger than the enumeration reaches, up to 12 nodes, and those of the known cycles."""
    found = [(f"star:{n}", star(n)) for n in (8, 9)]
    sizes = ((3, 3), (4, 2), (5, 2), (3, 4), (4, 3), (6, 2))
    found += [(f"spider:{legs}x{long}", spider(legs, long)) for legs, long in sizes]
    found += [(f"comb:{n}", comb(n)) for n in (4, 5)]
    found += [(f"broom:{a},{b}", broom(a, b)) for a, b in ((2, 6), (3, 6))]
    mixed = [(1, 1, 1, 2, 3), (1, 1, 1, 1, 4), (1, 1, 2, 2, 3), (1, 2, 3, 4), (2, 2, 2, 2, 1)]
    mixed += [(2, 1, 1, 1, 1), (2, 1, 1, 1, 1, 1), (2, 2, 1, 1, 1, 1), (2, 2, 2, 1, 1, 1), (3, 1, 1, 1, 1, 1)]
    return found + [(f"chains:{','.join(map(str, lengths))}", chains(*lengths)) for lengths in mixed]


KNOWN = {  # cycles of earlier hunts, made shorter by hand, to start from
    ("spider:4x2", 6): [8, 5, 2, 6, 8, 3, 6, 4, 8, 1, 4, 2],
    ("spider:5x2", 8): [5, 2, 6, 8, 4, 9, 6, 10, 4, 8, 1, 10, 2, 8, 4],
    ("chains:2,1,1,1,1", 3): [2, 5, 4, 6, 1, 5, 2, 6, 4, 2, 3, 4, 6, 1, 3, 2, 6, 4],
    ("chains:2,1,1,1,1,1", 4): [5, 6, 2, 6, 3, 7, 3, 4, 2, 4, 5, 7],
    ("chains:2,2,1,1,1,1", 5): [4, 7, 6, 2, 6, 5, 4, 5, 8, 2, 8, 7],
}


def hunt(seconds: float, seed: int) -> dict[str, object]:
    """The best exact cycle of each instance and goal; larger instances have more of the time."""
    instances = [
        (str(p), p, k) for n in range(3, 8) for p in all_trees(n) for k in range(max(2, *depths(p)), n)
    ]
    instances += [(name, p, k) for name, p in families() for k in range(max(2, *depths(p)), len(p))]
    small = sum(":" not in name for name, _, _ in instances)
    share = seconds / (small + LARGER * (len(instances) - small)) / len(GOALS)
    rows, evaluations, unproved = [], 0, 0
    dice = np.random.default_rng(seed)
    for name, parents, k in instances:
        table = Table(parents, k)
        arrays = (table.masks, table.add, table.drop, table.paths, table.size, k)
        row: dict[str, object] = {"tree": list(parents), "name": name, "k": k}
        w = width(PrefixTree.from_parents(parents), k).w
        for goal, what in enumerate(GOALS):
            tried: list[tuple[float, list[int]]] = []
            until = time.perf_counter() + share * (LARGER if ":" in name else 1)
            while not tried or time.perf_counter() < until:
                known = [] if tried else KNOWN.get((name, k), [])
                start = np.array(known) if known else dice.choice(table.requests, int(dice.integers(4, 16)))
                steps = 200 if len(table.masks) < 300 else 20
                cycle, score = climb(start, steps, int(dice.integers(1 << 31)), goal, table.requests, *arrays)
                evaluations += steps + 1
                tried.append((score, cycle.tolist()))
            for _, cycle in sorted(tried, reverse=True)[:3]:
                proved = exact(table, cycle) if len(table.masks) <= PROVABLE else None
                if proved is None:
                    continue
                row[what], row[f"{what}_cycle"] = str(proved[goal]), cycle
                break
            else:
                unproved += 1
                row[what], row[f"{what}_cycle"] = None, max(tried)[1]
            row[f"{what}_seen"] = round(max(tried)[0], 6)
        row["conjecture"] = str(2 * harmonic(w) - 1)
        rows.append(row)
    return {
        "seed": seed,
        "seconds": seconds,
        "instances": len(instances),
        "evaluations": evaluations,
        "unproved": unproved,
        "rows": rows,
    }


def main() -> None:
    """Hunt and write the file with its digest."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=500)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("-o", "--output", type=Path, default=FILE)
    chosen = options.parse_args()
    found = hunt(chosen.seconds, chosen.seed)
    text = json.dumps(found["rows"], separators=(",", ":"))
    found["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(found, separators=(",", ":")).replace('{"tree"', '\n{"tree"') + "\n")


if __name__ == "__main__":
    main()
