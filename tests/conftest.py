"""Hypothesis profiles (HYPOTHESIS_PROFILE=quick|deep)."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numba
from hypothesis import HealthCheck, settings
from profiles import QUICK

# `pytest` without `python -m` puts tests/ first, where tests/adversaries would be taken for the package.
sys.path.insert(0, str(Path(__file__).parents[1]))

slow_is_fine = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
few = 8 if numba.config.DISABLE_JIT else QUICK  # what is compiled takes 20 times as long there
settings.register_profile("quick", max_examples=few, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=1500, deadline=None, suppress_health_check=slow_is_fine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


collect_ignore = [] if importlib.util.find_spec("vllm") else ["on_vllm"]  # make test-vllm
