"""The best deterministic ratio of every small game with requestable nodes, and what fractional ones are.

    python tests/benchmarks/table_requestable.py

writes docs/_static/requestable/games.json in about two minutes. `games`: every tree and requestable set of
at most 6 nodes. `kernels`: the smallest games that fractional ratios of up to 7 nodes come from: requestable
nodes are given up while the ratio stays, then the kernel is taken.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.requestable import requestable_width
from kvtheory.requestable_games import all_games, granular_bound, kernel, overflows, shape
from kvtheory.width import width

FILE = Path(__file__).parents[2] / "docs" / "_static" / "requestable" / "games.json"


def row(game: Instance, *, lru: bool) -> dict[str, object]:
    """One game: its ratio, and every number that might explain it."""
    T_R = Instance.of(game.tree, game.capacity, game.requestable)
    W = width(T_R.tree, game.capacity).W
    own = requestable_width(game.tree, game.requestable, game.capacity)
    exact = max((m for m, g in overflows(game) if g == 1), default=1)
    found: dict[str, object] = {
        "tree": list(game.parents[1:]),
        "k": game.capacity,
        "R": list(game.requestable),
        "W": W,
        "W_R": own.low,
        "exact": exact,
        "granular": str(granular_bound(game)),
        "upper": max(1, min(W - 1, 1 + own.fitting)),
        "deterministic": str(best_deterministic(game).ratio),
    }
    if lru:
        found["lru"] = str(exact_ratio(game, LeafLRU).ratio)
    return found


def critical(game: Instance, ratio: Fraction) -> Instance:
    """A kernel of the same ratio with as few requestable nodes as possible, and then as few nodes."""
    for size in range(2, len(game.requestable) + 1):
        found = []
        for chosen in itertools.combinations(game.requestable, size):
            less = kernel(Instance.of(game.tree, game.capacity, chosen))
            if len(less.used) > less.capacity and best_deterministic(less).ratio == ratio:
                found.append(less)
        if found:
            return min(found, key=lambda one: (len(one.used), form(one)))
    raise AssertionError("the game itself has its ratio")


def form(game: Instance) -> str:
    """Up to isomorphism, what the nodes on requestable paths and the capacity say."""
    number = {0: 0} | {v: i for i, v in enumerate(game.used, 1)}
    parents = tuple(number[game.parents[v]] for v in game.used)
    return f"{shape(parents, [number[v] for v in game.requestable])} {game.capacity}"


def main() -> None:
    """Compute and write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("-o", "--output", type=Path, default=FILE)
    output = options.parse_args().output
    games: list[dict[str, object]] = []
    kernels: dict[str, dict[str, object]] = {}
    counts: Counter[str] = Counter()
    beyond = {"games": 0, "fractional": 0, "granular": 0, "integers": 0}
    for n in range(2, 8):
        for game in all_games(n):
            found = row(game, lru=n <= 6)
            ratio = Fraction(str(found["deterministic"]))
            if n <= 6:
                games.append(found)
            else:
                beyond["games"] += 1
                beyond["fractional"] += ratio.denominator > 1
                beyond["granular"] += Fraction(str(found["granular"])) == ratio
                beyond["integers"] += ratio == max(1, int(str(found["exact"])) - 1)
                assert Fraction(str(found["granular"])) <= ratio <= int(str(found["upper"]))
                counts[str(ratio)] += 1
            if ratio.denominator == 1:
                continue
            least = critical(game, ratio)
            key = form(least)
            if key not in kernels:
                best = best_randomized(least)
                kernels[key] = row(least, lru=True) | {
                    "random_low": str(best.lower),
                    "random_high": str(best.upper),
                    "games": {},
                }
            tally = kernels[key]["games"]
            assert isinstance(tally, dict)
            tally[str(n)] = tally.get(str(n), 0) + 1
    ordered = sorted(
        kernels.values(), key=lambda one: (Fraction(str(one["deterministic"])), len(str(one["tree"])))
    )
    body = {"games": games, "kernels": ordered, "seven": beyond, "seven_ratios": dict(sorted(counts.items()))}
    text = json.dumps(body, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(
        json.dumps({"sha256": digest, **body}, separators=(",", ":")).replace('{"tree"', '\n{"tree"') + "\n"
    )


if __name__ == "__main__":
    main()
