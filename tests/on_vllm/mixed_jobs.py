"""A workload of everything that a block pool meets."""

from __future__ import annotations

import numpy as np

from gpu_validation.engine import Job


def mixed(seed: int, count: int, block: int) -> list[Job]:
    """Shared documents, exact multiples of a block, repeated prompts, partial blocks, some long outputs."""
    rng = np.random.default_rng(seed)
    documents = [rng.integers(3, 500, block * 12).tolist() for _ in range(5)]
    jobs = []
    for i in range(count):
        document = documents[int(rng.integers(5))]
        length = block * int(rng.integers(1, 12)) + int(rng.choice([0, 0, 1, 17]))
        tail = rng.integers(3, 500, int(rng.integers(0, 40))).tolist() if i % 3 else []
        jobs.append(Job(document[:length] + tail, int(rng.choice([1, 3, block + 5]))))
    return jobs
