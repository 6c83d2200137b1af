"""What the simulator's hits and a fitted cost model say of a workload's TTFT, against the engine.

A shared machine can be twice as slow for half a minute, which a mean over three rounds cannot hide. A request
that several rounds served with the same hit was the same work each time: its time is their median.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from gpu_validation.fit import TTFTModel, fit
from gpu_validation.results import Cell, FloatArray

NEAR = 0.1


@dataclass(frozen=True)
class Work:
    """Requests served with a certain hit; one entry each, of shape (N,).

    Attributes:
        hit, miss: tokens.
        ttft: seconds, the median over the rounds that served it so.
        times: how many rounds did.
    """

    hit: FloatArray
    miss: FloatArray
    ttft: FloatArray
    times: FloatArray

    def mean(self) -> float:
        """Mean TTFT of all that was served, seconds."""
        return float(np.average(self.ttft, weights=self.times))


@dataclass(frozen=True)
class Prediction:
    """Mean TTFT of a workload under a policy, in seconds; `rounds` as each round measured it."""

    workload: str
    policy: str
    measured: float
    predicted: float
    rounds: FloatArray

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted / self.measured - 1


def predictions(table: dict[tuple[str, str, str], Cell]) -> Iterator[Prediction]:
    """Every offline cell, predicted by a fit on the other workloads; on itself where there are no others."""
    offline = {
        (workload, policy): cell for (workload, mode, policy), cell in table.items() if mode == "offline"
    }
    works = {key: work(cell) for key, cell in offline.items()}
    models = {
        name: fit_works([part for (other, _), part in works.items() if other != name] or works.values())
        for name in dict.fromkeys(workload for workload, _ in offline)
    }
    for (workload, policy), cell in offline.items():
        measured, predicted = works[workload, policy].mean(), predict(models[workload], cell)
        yield Prediction(workload, policy, measured, predicted, cell.ttft.mean(axis=1))


def work(cell: Cell) -> Work:
    """A cell's rounds as one."""
    found = []
    for request in range(cell.ttft.shape[1]):
        prompt, hits, ttft = cell.prompt[0, request], cell.cached[:, request], cell.ttft[:, request]
        for hit in np.unique(hits):
            same = hits == hit
            found.append((hit, prompt - hit, np.median(ttft[same]), same.sum()))
    return Work(*np.array(found, np.float64).T)


def fit_works(parts: Collection[Work]) -> TTFTModel:
    """A cost model from the engine's hits and times."""
    hit, miss, ttft = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("hit", "miss", "ttft")
    )
    return fit(hit, miss, ttft)


def predict(model: TTFTModel, cell: Cell) -> float:
    """Mean TTFT from the simulator's hits, in seconds."""
    hit = cell.simulated.ravel()
    return float(model.predict(hit, cell.prompt.ravel() - hit).mean())
