"""Mutants that no test can kill, because they mean the same: each was read, and this is why."""

from __future__ import annotations

SAME_LENGTH = "zip's `strict`: both are as long as there are caches, whatever the certificate says"
ROOT_IN_NO_LIST = "a neighbour in a list is a node from 1 on, or -1: the root is in no list"
EFFORT = (
    "how much is tried before giving up; what is found within it is proved, one more or less changes no value"
)
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "proofs_check/verify_best.py",
        "total = [t + int(p * common) * x for t, x in zip(total, cheapest, strict=True)]",
        "False",
    ): SAME_LENGTH,
    (
        "proofs_check/verify_rules.py",
        "if best[small] + up < best[large]:",
        "((best[small] + up) <= (best[large]))",
    ): "where they are equal, it assigns the value that is there",
    (
        "kvtheory/offline/makespan_ilp.py",
        "if found is not None and search.value(found) < value:",
        "((search.value(found)) <= (value))",
    ): "where they are equal, another routing of the same value is handed out",
    ("kvtheory/engine/exact.py", "largest = 0", "1"): "ranks and times are only compared with each other",
    ("kvtheory/engine/templates/ranked.py", "place[victim] = -1", "2"): "only its sign is asked for",
    ("kvtheory/engine/kernels/clock.py", "node[path[i], USED] = 1", "2"): "any number but 0 is a used node",
    ("kvtheory/engine/lists.py", "if before < 0:", "((before) <= (0))"): ROOT_IN_NO_LIST,
    (
        "kvtheory/ratio/minimax_chain.py",
        "if len(order) > MOST_REFINED:",
        "((len(order)) >= (MOST_REFINED))",
    ): EFFORT,
    (
        "kvtheory/ratio/minimax_chain.py",
        "except ValueError:  # the chain falls apart continue",
        "break",
    ): EFFORT,
    (
        "kvtheory/ratio/work_function.py",
        "def work_functions(instance: Instance, budget: int = 1_000_000) -> WorkFunctions:",
        "1000001",
    ): EFFORT,
    (
        "kvtheory/offline/branch.py",
        "rise = np.where(self.tries > 0, self.rises / seen, self.weight * scale)",
        "((self.tries) >= (0))",
    ): EFFORT,
    ("kvtheory/offline/network.py", "if t + 1 < requests:", "((t) - (1))"): "an arc to a node with no way on",
    ("kvtheory/offline/relaxation.py", "if has_ray:", "(not (has_ray))"): (
        EFFORT + "; a ray proves nothing before it is checked in whole numbers"
    ),
    (
        "kvtheory/offline/eviction_ilp.py",
        "if left > full.rows.row.size * PULP_SECONDS:",
        "(not (left > full.rows.row.size * PULP_SECONDS))",
    ): EFFORT,
    ("kvtheory/ratio/automaton.py", "INTERPRETED, BATCH = 500, 2048", "2049"): "how many are stepped at once",
    (
        "kvtheory/ratio/minimax_chain.py",
        "moved[a] += round(shift[a] * unit)",
        "((shift[a]) + (unit))",
    ): "shifts take rounding errors out: the gain that is left without them is checked all the same",
    ("kvtheory/offline/flow.py", "CLOSURE_ROUNDS = 200", "201"): EFFORT,
    ("kvtheory/ratio/cover.py", "COARSE = 1000", "1001"): EFFORT,
    ("kvtheory/offline/network.py", "changed = False", "True"): "goes on where nothing changes any more",
    (
        "kvtheory/offline/makespan_ilp.py",
        "if value - bound > gap * value and time.perf_counter() < deadline:",
        "((value) + (bound))",
    ): EFFORT,
    (
        "kvtheory/offline/eviction_ilp.py",
        "pairs = [([i, j], [1, -1], 0) for i in range(len(self.problem)) for j in range(low[i], high[i])]",
        "2",
    ): "rows for PuLP, whose points are offers; the search that proves has closure of its own",
    (
        "kvtheory/offline/routing_program.py",
        "for j in range(1, min(m, t + 1))",
        "2",
    ): "rows that only forbid other names for the same routing",
    (
        "kvtheory/offline/gomory.py",
        "depth = (float(weights @ x[support]) - rhs) / length",
        "((float(weights @ x[support])) + (rhs))",
    ): "which of the valid cuts are worth a row",
    (
        "kvtheory/offline/belady.py",
        "for level in range(LEVELS - 1, -1, -1):",
        "2",
    ): "the top level of the bitmap says something from 64 ** 5 requests on: a thousand million",
    (
        "kvtheory/ratio/minimax_adversary.py",
        "never = value.max() + load * (game.capacity + 1)",
        "2",
    ): "a price that is never paid: any above the dearest detour serves",
    (
        "kvtheory/ratio/belief.py",
        "row, paid, by = [UNEXPLORED] * requests, [Fraction(0)] * requests, [0] * requests",
        "1",
    ): "written over for every request that is explored, and not read for the others",
    (
        "kvtheory/ratio/automaton.py",
        "engine: ExactEngine = field(repr=False)",
        "True",
    ): "what a debugger shows of it",
}
"""(file, the line that is changed, what the mutant writes there): why it is no fault."""
