"""Mutants that no test can kill, because they mean the same: each was read, and this is why."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
"""(file, what was written, what the mutant writes): why it is no fault."""
