"""Mutants that no test can kill, because they mean the same: each was read, and this is why."""

from __future__ import annotations

SAME_LENGTH = "zip's `strict`: both are as long as there are caches, whatever the certificate says"
ROOT_IN_NO_LIST = "a neighbour in a list is a node from 1 on, or -1: the root is in no list"
EFFORT = (
    "how much is tried before giving up; what is found within it is proved, one more or less changes no value"
)
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("proofs_check/verify_best.py", "True", "False"): SAME_LENGTH,
    (
        "proofs_check/verify_rules.py",
        "best[small] + up < best[large]",
        "((best[small] + up) <= (best[large]))",
    ): "where they are equal, it assigns the value that is there",
    (
        "kvtheory/offline/makespan_ilp.py",
        "search.value(found) < value",
        "((search.value(found)) <= (value))",
    ): "where they are equal, another routing of the same value is handed out",
    ("kvtheory/engine/lists.py", "before < 0", "((before) <= (0))"): ROOT_IN_NO_LIST,
    (
        "kvtheory/ratio/minimax_chain.py",
        "len(order) > MOST_REFINED",
        "((len(order)) >= (MOST_REFINED))",
    ): EFFORT,
}
"""(file, what was written, what the mutant writes): why it is no fault."""
