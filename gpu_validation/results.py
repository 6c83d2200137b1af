"""A run's JSON as arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_validation.schema import require_run
from kvtheory.errors import InputError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One workload, mode and policy; rounds by requests, warm-up left out.

    Attributes:
        prompt, cached, ttft: float64, shape (rounds, requests): tokens, tokens, seconds.
        simulated: cached tokens that the simulator predicts, the same shape.
        same: how many requests have the predicted hit, warm-up included, and of how many.
    """

    prompt: FloatArray
    cached: FloatArray
    ttft: FloatArray
    simulated: FloatArray
    same: tuple[int, int]

    @property
    def hit_rates(self) -> FloatArray:
        """Share of the prompt tokens that were cached, by round."""
        found: FloatArray = self.cached.sum(axis=1) / self.prompt.sum(axis=1)
        return found


def read(path: Path) -> dict[str, Any]:
    """A run's JSON.

    Raises:
        InputError: if it is none; names the field.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}", file=str(path)) from error
    require_run(found, str(path))
    return found


def cells(found: dict[str, Any]) -> dict[tuple[str, str, str], Cell]:
    """By workload, mode and policy, in the order of the plan."""
    grouped: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in sorted(found["runs"], key=lambda run: run["repeat"]):
        grouped.setdefault((run["workload"], run["mode"], run["policy"]), []).append(run)
    names = found["plan"]["names"]
    order = sorted(
        grouped, key=lambda key: (list(found["workloads"]).index(key[0]), key[1], names.index(key[2]))
    )
    return {key: _cell(grouped[key], found["plan"]["warmup"]) for key in order}


def _cell(runs: list[dict[str, Any]], warmup: float) -> Cell:
    rows = np.array([run["requests"] for run in runs], np.float64)
    simulated = np.array([run["simulated_hits"] for run in runs], np.float64)
    skip = int(warmup * rows.shape[1])
    same = rows[:, :, 1] == simulated
    return Cell(
        rows[:, skip:, 0],
        rows[:, skip:, 1],
        rows[:, skip:, 2],
        simulated[:, skip:],
        (int(same.sum()), same.size),
    )
