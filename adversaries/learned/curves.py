"""The committed curves of learned and random search: `python -m adversaries.learned.curves FOLDER`.

A line of `FOLDER/curves.jsonl` is one method on one case with one seed. Its curve says what the best sequence
so far costs after how many sequences played; where the policy draws, that is counted anew under seeds which
the search never saw. Lines that are there already are kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from adversaries.batch.score import misses, optima
from adversaries.learned.chance import KINDS, random_search
from adversaries.learned.training import Outcome, learn
from kvtheory.atomic import atomic_write
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree

LENGTH, EVALUATIONS, SEEDS = 200, 1024, 5
UNSEEN = range(1000, 1256)
METHODS = ("learned", *KINDS)


@dataclass(frozen=True)
class Case:
    """What is played on: a tree as `--tree` names it, a capacity, a policy's name."""

    tree: str
    capacity: int
    policy: str


CASES = (
    Case("star:9", 8, "lru"),
    Case("binary:3", 9, "fifo"),
    Case("0,1,2,2,2,2,2,2,2,2", 9, "marking"),
    Case("star:6", 5, "mru"),
    Case("star:5", 4, "lfu"),
    Case("star:6", 4, "rlt"),
    Case("star:6", 5, "random"),
)


def judging_seeds(policy: type[Policy]) -> Sequence[int]:
    """The seeds under which a sequence that was found is counted; one for a policy that does not draw."""
    return UNSEEN if policy.randomised() else (0,)


def judged(
    tree: PrefixTree, capacity: int, policy: type[Policy], found: Sequence[list[int]]
) -> list[tuple[int, int]]:
    """Misses of every sequence, summed over the judging seeds, and OPT times their number."""
    requests, seeds = torch.tensor(found, dtype=torch.int64), judging_seeds(policy)
    alg = misses(tree, capacity, policy, requests, seeds).sum(1).tolist()
    opt = (optima(tree, capacity, requests) * len(seeds)).tolist()
    return list(zip(alg, opt, strict=True))


def find(case: Case, method: str, seed: int) -> Outcome:
    """Run one method on one case."""
    tree, policy = parse_tree(case.tree), policies()[case.policy]
    if method == "learned":
        return learn(tree, case.capacity, policy, length=LENGTH, evaluations=EVALUATIONS, seed=seed)
    return random_search(
        tree, case.capacity, policy, kind=method, length=LENGTH, evaluations=EVALUATIONS, seed=seed
    )


def row(case: Case, method: str, seed: int) -> dict[str, Any]:
    """One line of the file."""
    tree, policy = parse_tree(case.tree), policies()[case.policy]
    outcome = find(case, method, seed)
    counts = judged(tree, case.capacity, policy, [requests for _, requests in outcome.history])
    curve = [[played, *count] for (played, _), count in zip(outcome.history, counts, strict=True)]
    return {
        "tree": case.tree,
        "capacity": case.capacity,
        "policy": case.policy,
        "method": method,
        "seed": seed,
        "length": LENGTH,
        "evaluations": EVALUATIONS,
        "judging_seeds": len(judging_seeds(policy)),
        "curve": curve,
        "requests": outcome.requests,
    }


def wanted() -> Iterator[tuple[Case, str, int]]:
    """Every line that the file must hold, in order."""
    return ((case, method, seed) for case in CASES for method in METHODS for seed in range(SEEDS))


def main(folder: Path) -> None:
    """Write what is missing from the file, line by line."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "curves.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    keys = ("tree", "capacity", "policy", "method", "seed")
    known = {tuple(json.loads(line)[key] for key in keys): line for line in lines}
    kept: list[str] = []
    for case, method, seed in wanted():
        key = (case.tree, case.capacity, case.policy, method, seed)
        line = known.get(key)
        if line is None:
            line = json.dumps(row(case, method, seed), separators=(",", ":"))
            known[key] = line
            with atomic_write(file) as stream:
                stream.writelines(f"{each}\n" for each in known.values())
        kept.append(line)
    with atomic_write(file) as stream:
        stream.writelines(f"{line}\n" for line in kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
