"""A run that never was: the JSON of a study, its times made from a known cost model."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpu_validation.schema import SCHEMA

FIXED, CACHED, COMPUTED = 0.004, 2e-6, 1e-4
BLOCK, REQUESTS, ROUNDS = 32, 50, 3
SPECS = ("cyclic:prompts=9,blocks=9", "gsp:groups=2,prompts=3,block=256")
SHARES = {"stock": 0.2, "lru": 0.2, "rlt": 0.6, "random": 0.2}


def synthetic(*, seed: int = 1, noise: float = 0.0, shares: dict[str, float] = SHARES) -> dict[str, Any]:
    """Every policy hits a block of a prompt with the probability `shares`; offline and timed.

    The timed mode adds 1 ms of waiting to each TTFT, and the first request of a timed run of rlt differs from
    what the simulator says.
    """
    rng = np.random.default_rng(seed)
    runs = []
    for workload in SPECS:
        blocks = rng.integers(4, 12, REQUESTS)
        for repeat in range(ROUNDS):
            for policy, share in shares.items():
                hits = rng.binomial(blocks, share) * BLOCK
                prompt = blocks * BLOCK + 5
                ttft = FIXED + CACHED * hits + COMPUTED * (prompt - hits)
                ttft = ttft * np.exp(noise * rng.standard_normal(REQUESTS))
                for mode in ("timed", "offline"):
                    simulated = hits.tolist()
                    if (mode, policy) == ("timed", "rlt"):
                        simulated[0] += BLOCK
                    waited = ttft + 1e-3 * (mode == "timed")
                    rows = [
                        list(row) for row in zip(prompt.tolist(), hits.tolist(), waited.tolist(), strict=True)
                    ]
                    runs.append(
                        {
                            "workload": workload,
                            "mode": mode,
                            "policy": policy,
                            "repeat": repeat,
                            "seconds": float(waited.sum()),
                            "status": None if policy == "stock" else {"policy": policy, "seed": repeat},
                            "requests": rows,
                            "simulated_hits": simulated,
                        }
                    )
    rng.shuffle(runs)
    return {
        "schema": SCHEMA,
        "title": "nothing on CPU",
        "versions": {
            "python": "3.12",
            "kvtheory": "0",
            "torch": "2",
            "numpy": "2",
            "numba": "0.65",
            "vllm": "0",
        },
        "engine": "LLM",
        "device": {"kind": "CPU", "name": "none", "cores": 1},
        "plan": {
            "model": "tiny-shape",
            "workloads": list(SPECS),
            "names": list(shares),
            "block": BLOCK,
            "blocks": 66,
            "longest": 2048,
            "repeats": ROUNDS,
            "warmup": 0.2,
            "requests": REQUESTS,
            "together": 1,
            "load": 0.7,
            "output": 1,
            "seed": 0,
            "engine": "in-process",
        },
        "command": [],
        "capacity": 64,
        "workloads": {spec: {"nodes": 99} for spec in SPECS},
        "runs": runs,
    }
