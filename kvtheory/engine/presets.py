"""Service costs of real models on real GPUs, fitted to published measurements.

Source: the throughput tables of TensorRT-LLM 0.14.0, docs/source/performance/perf-overview.md: output tokens
a second at saturation for nine pairs of input and output length, nothing cached [TensorRTLLM2024]_. The time
that a request takes from a saturated GPU, output tokens over that throughput, is fitted as

    alpha_miss * input + attention * input**2 + decode * output + context * (output * input + output**2 / 2)

by least squares of relative errors with coefficients that are not negative. A saturated GPU decodes many
requests at a time, so `decode` and `context` are one request's share of a batch, not the time between its
tokens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kvtheory.errors import InputError
from kvtheory.model import CostModel

LENGTHS = (
    (1000, 1000),
    (128, 128),
    (128, 2048),
    (128, 4096),
    (20000, 2000),
    (2048, 128),
    (2048, 2048),
    (500, 2000),
    (5000, 500),
)
LARGEST = 2**53
"""Tokens or seconds in a measured row: no float is asked for more."""


@dataclass(frozen=True)
class Preset:
    """A model on a GPU.

    Attributes:
        about: model, precision, GPU.
        throughput: output tokens a second for each pair of `LENGTHS`.
        kv_tokens: tokens of KV that fit beside the weights: 90 % of the memory less the weights, 16-bit KV
            (128 KiB a token for Llama-3.1-8B, 320 KiB for 70B).
        slower: how much slower its tensor cores are than those that were measured, by data sheet.
    """

    about: str
    throughput: tuple[float, ...]
    kv_tokens: int
    slower: float = 1.0


L40S = (3726.7552, 8639.7933, 5101.6652, 2774.5363, 270.5404, 986.9134, 2018.303, 4065.3921, 855.9822)
PRESETS = {
    "llama8b_l40s": Preset("Llama-3.1-8B, FP8, one L40S 48 GB", L40S, 207_000),
    "llama8b_l40": Preset(
        "Llama-3.1-8B, FP8, one L40 48 GB: the L40S's figures, its tensor cores half as fast by data sheet, "
        "its memory the same",
        L40S,
        207_000,
        slower=2.0,
    ),
    "llama8b_h100": Preset(
        "Llama-3.1-8B, FP16, one H100 80 GB",
        (7054.5156, 15571.6549, 9150.7477, 5368.9227, 562.8735, 1904.3259, 4159.6857, 7498.3331, 1708.0353),
        427_000,
    ),
    "llama70b_h200": Preset(
        "Llama-3.1-70B, FP8, one H200 141 GB",
        (2585.0953, 3897.2623, 3612.2603, 2415.1981, 240.7202, 458.1948, 1797.6743, 2826.6665, 533.6128),
        170_000,
    ),
}


def find_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"no preset is named '{name}'; known: {', '.join(PRESETS)}", field="preset")
    return PRESETS[name]


@cache
def preset_costs(name: str) -> CostModel:
    """Service costs of a preset: seconds, per token."""
    preset = find_preset(name)
    sizes = np.array(LENGTHS, np.float64)
    miss, attention, decode, context = relative_least_squares(
        _features(sizes[:, 0], sizes[:, 1]), sizes[:, 1] / np.array(preset.throughput)
    )
    return CostModel(0.0, miss * preset.slower, 0.0, decode, attention * preset.slower, context, 0.0)


def fit_requests(
    hit: npt.NDArray[np.float64], miss: npt.NDArray[np.float64], ttft: npt.NDArray[np.float64]
) -> CostModel:
    """Service costs from one's own measurements: seconds to the first token of requests that wait for nobody.

    Args:
        hit: cached tokens, shape (N,).
        miss: computed tokens, shape (N,).
        ttft: seconds, shape (N,).

    Raises:
        InputError: with fewer rows than coefficients, a time that is not positive, or where no fit is found.
    """
    if not (np.isfinite(ttft).all() and (ttft > 0).all()):
        raise InputError("a time to first token is not positive")
    length = hit + miss
    features = np.stack([np.ones_like(miss), hit, miss, length * length - hit * hit], axis=1)
    fixed, cached, missed, attention = relative_least_squares(features, ttft)
    return CostModel(cached, missed, 0.0, 0.0, attention, 0.0, fixed)


def _features(prompt: npt.NDArray[np.float64], answer: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([prompt, prompt**2, answer, answer * prompt + answer * (answer - 1) / 2], axis=1)


def relative_least_squares(
    features: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64]
) -> list[float]:
    """Least squares of relative errors, no coefficient negative.

    Raises:
        InputError: with fewer rows than coefficients, or where no fit is found.
    """
    from scipy.optimize import nnls

    rows, coefficients = features.shape
    if rows < coefficients:
        raise InputError(f"{rows} rows are too few for a fit of {coefficients} coefficients")
    relative = features / seconds[:, None]
    scale = np.maximum(np.abs(relative).max(axis=0), 1e-30)
    try:
        found, _ = nnls(relative / scale, np.ones(len(seconds)))
    except RuntimeError as error:
        raise InputError(f"no cost model fits the {len(seconds)} rows: {error}") from error
    return [float(x) for x in found / scale]


def costs_of(preset: str) -> CostModel:
    """Service costs in seconds and tokens: of a preset by name, or fitted to a file of measured rows.

    The file is JSON: a list of `[hit, miss, ttft]`, tokens and seconds, of requests that waited for nobody.

    Raises:
        InputError: naming the file and row that is wrong.
    """
    if preset in PRESETS or not Path(preset).exists():
        return preset_costs(preset)
    try:
        rows = json.loads(Path(preset).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"is no JSON list of [hit, miss, ttft]: {error}", file=preset) from None
    if not isinstance(rows, list):
        raise InputError("is no JSON list of [hit, miss, ttft]", file=preset)
    for i, row in enumerate(rows):
        fine = isinstance(row, list) and len(row) == 3 and all(type(x) in (int, float) for x in row)
        if not (fine and all(0 <= x <= LARGEST for x in row)):
            raise InputError(f"row {i + 1} is not [hit, miss, ttft]", file=preset)
    table = np.array(rows, np.float64).reshape(-1, 3)
    try:
        return fit_requests(table[:, 0], table[:, 1], table[:, 2])
    except InputError as error:
        raise InputError(str(error), file=preset) from None
