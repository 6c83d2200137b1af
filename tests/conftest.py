"""Hypothesis profiles (HYPOTHESIS_PROFILE=quick|deep), and plain Python runs (NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import importlib.util
import os

import numba
import pytest
from hypothesis import HealthCheck, settings
from profiles import QUICK

slow_is_fine = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
few = 8 if numba.config.DISABLE_JIT else QUICK  # what is compiled takes 20 times as long there
settings.register_profile("quick", max_examples=few, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=1500, deadline=None, suppress_health_check=slow_is_fine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


collect_ignore = [] if importlib.util.find_spec("vllm") else ["on_vllm"]  # make test-vllm


def pytest_configure(config: pytest.Config) -> None:
    if numba.config.DISABLE_JIT:
        # generators wrap around on purpose; numpy warns where numba does not
        wraps = "(kvtheory[._](mix|engine.draw|kernel)|adversaries.search.walk).*"
        config.addinivalue_line("filterwarnings", f"ignore:overflow encountered:RuntimeWarning:{wraps}")
