"""The JSON in which a competitive ratio and its proof travel; rationals are strings "p/q".

`proofs_check/verify.py` checks it with the standard library alone, and `certificate.schema.json` beside it
describes the format. A certificate is about the concrete tree: no symmetry is left to be believed. Positions
(distribution over policy states, work function) are those that the verifier finds, in its order: breadth
first from the empty cache, requests ascending.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvtheory.atomic import atomic_write
from kvtheory.engine.exact import PolicyState
from kvtheory.errors import LimitError
from kvtheory.ratio.cover import shares
from kvtheory.ratio.game import Game, fraction, play

SCHEMA = "kvtheory-certificate/1"
VERIFIER_KNOWS = ("fifo", "lru", "marking", "mru", "random", "rlt")
MOST_CLOSED_SETS = 1 << 11
MOST_POSITIONS = 500_000


def certificate(solved: Game) -> dict[str, Any]:
    """Prove what is known of a policy's competitive ratio: an exact claim, or a lower bound.

    Raises:
        LimitError: if the instance is too large for the verifier or for a file, or the automaton of a policy
            that the verifier does not know did not close.
    """
    instance, policy = solved.instance, solved.policy
    if len(instance.closed) > MOST_CLOSED_SETS:
        raise LimitError(f"more than {MOST_CLOSED_SETS:,} cache states: too many for the verifier")
    if solved.states is not None and solved.states > MOST_POSITIONS:
        raise LimitError(f"a certificate of {solved.states:,} positions: more than {MOST_POSITIONS:,}")
    known = policy.name in VERIFIER_KNOWS
    if not known and not solved.player.complete:
        raise LimitError(f"{policy.name}: its automaton does not close within the budget")
    game = play(
        instance,
        policy,
        budget=MOST_POSITIONS if solved.complete else solved.budget,
        symmetric=False,
        merge=not known,
    )
    result = game.result()
    exact = result.infinite or game.complete or (known and _covered(game))
    found = {
        "schema": SCHEMA,
        "instance": {
            "parents": list(instance.parents[1:]),
            "capacity": min(instance.capacity, instance.tree.n),
            "requestable": list(instance.requestable),
        },
        "policy": policy.name,
        "automaton": None if known else _table(game),
        "claim": {
            "ratio": "inf" if result.infinite else fraction(result.lower),
            "kind": "exact" if exact else "lower",
        },
        "lower": {"prefix": result.prefix, "cycle": result.cycle},
        "upper": upper_part(game) if exact and not result.infinite else None,
    }
    return sign(found)


def write_certificate(path: Path, found: dict[str, Any]) -> None:
    """Write a certificate, whole or not at all."""
    with atomic_write(path, "w") as stream:
        stream.write(json.dumps(found, separators=(",", ":")) + "\n")


def sign(found: dict[str, Any]) -> dict[str, Any]:
    """The certificate with its digest: SHA-256 of the rest, keys sorted, no spaces."""
    rest = {key: value for key, value in found.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return {**rest, "digest": hashlib.sha256(text.encode()).hexdigest()}


def _covered(game: Game) -> bool:
    return game.bound is not None and game.bound.ratio == game.lower


def upper_part(game: Game) -> dict[str, Any]:
    """Potentials in units of cost, and the cover that they are about, if there is one."""
    if game.complete:
        assert game.best.ratio is not None
        unit = game.best.ratio.denominator * game.player.scale
        values = [Fraction(int(value), unit) for value in game.best.potential]
        return {"potentials": [fraction(x) for x in values], "cover": None}
    assert game.bound is not None
    cover = game.bound.cover
    anchors = [
        [[*_verifier_state(cover.beliefs.states[state]), fraction(p)] for state, p in shares(anchor).items()]
        for anchor in cover.anchors
    ]
    mixtures = [[[[j, fraction(x)] for j, x in mixed] for mixed in row] for row in cover.mixture]
    return {
        "potentials": [fraction(x) for x in game.bound.potential],
        "cover": {"anchors": anchors, "mixtures": mixtures},
    }


def _verifier_state(state: PolicyState) -> tuple[list[int], list[int]]:
    """Cached nodes, and marked ones for rlt."""
    marked = len(state[0]) > 1
    held, marks = ([v for v, label in enumerate(state) if label[i]] for i in (0, -1))
    return held, marks if marked else []


def _table(game: Game) -> dict[str, Any]:
    scale = game.player.scale
    return {
        "next": game.player.next.tolist(),
        "cost": [[fraction(Fraction(int(cost), scale)) for cost in row] for row in game.player.cost],
    }
