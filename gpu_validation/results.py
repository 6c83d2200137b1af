"""A run's JSON as arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_validation.schema import KEY, MODES, ROUTED_KEY, require_run
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
    except OSError as error:
        raise InputError.of(error, path) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", file=str(path)) from error
    require_run(found, str(path))
    return found


def cells(found: dict[str, Any]) -> dict[tuple[str, str, str], Cell]:
    """By workload, mode and policy, in the order of the plan."""
    warmup = found["plan"]["warmup"]
    return {
        (workload, mode, policy): _cell(runs, warmup)
        for (workload, mode, policy), runs in _grouped(found, KEY).items()
    }


@dataclass(frozen=True)
class RoutedCell(Cell):
    """One workload, mode, router and policy.

    Attributes:
        seconds: of each round, from the first request to the last completion, shape (rounds,).
        alike: how many requests the simulated router sends to the engine that served them, warm-up included.
    """

    seconds: FloatArray
    alike: int


def routed_cells(found: dict[str, Any]) -> dict[tuple[str, str, str, str], RoutedCell]:
    """By workload, mode, router and policy, in the order of the plan."""
    table = {}
    for (workload, mode, router, policy), runs in _grouped(found, ROUTED_KEY).items():
        engines, simulated = (
            np.array([run[name] for run in runs]) for name in ("served_by", "simulated_served_by")
        )
        table[workload, mode, router, policy] = RoutedCell(
            **vars(_cell(runs, found["plan"]["warmup"])),
            seconds=np.array([run["seconds"] for run in runs], np.float64),
            alike=int((engines == simulated).sum()),
        )
    return table


def _grouped(found: dict[str, Any], key: dict[str, str]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Runs that differ in nothing but the round, in its order; keys in the order of the plan."""
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run in sorted(found["runs"], key=lambda run: run["repeat"]):
        grouped.setdefault(tuple(run[field] for field in key), []).append(run)
    orders = [found["plan"][listed] if listed else MODES for listed in key.values()]

    def place(names: tuple[str, ...]) -> list[int]:
        return [order.index(name) for order, name in zip(orders, names, strict=True)]

    return {names: grouped[names] for names in sorted(grouped, key=place)}


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
