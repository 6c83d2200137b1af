"""Broken policies, engines, kernels and optima, each with the check that must catch it: the suite's own test.

A check that no mutant can fail demands nothing. Each subject here differs from an honest one in one place.
"""

from __future__ import annotations

from kvtheory.testing.mutants.engines import ENGINE_MUTANTS
from kvtheory.testing.mutants.objects import OBJECT_MUTANTS
from kvtheory.testing.mutants.optima import OPTIMUM_MUTANTS
from kvtheory.testing.mutants.policies import POLICY_MUTANTS
from kvtheory.testing.subject import Mutant

MUTANTS: dict[str, Mutant] = {**POLICY_MUTANTS, **ENGINE_MUTANTS, **OPTIMUM_MUTANTS, **OBJECT_MUTANTS}
"""Every mutant, by what is wrong with it."""
