"""Mutants that no test can kill, because they mean the same: each was read, and this is why."""

from __future__ import annotations

SAME_LENGTH = "zip's `strict`: both are as long as there are caches, whatever the certificate says"
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("proofs_check/verify_best.py", "True", "False"): SAME_LENGTH,
}
"""(file, what was written, what the mutant writes): why it is no fault."""
