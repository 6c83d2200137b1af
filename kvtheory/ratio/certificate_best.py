"""Certificates of the best ratio of any online algorithm, in the format of :mod:`kvtheory.ratio.certificate`.

Deterministic: a strategy of each player by position (cache, work function). Randomised: a distribution per
work function with its couplings, and a Markov chain of requests. Positions are in the verifier's order:
breadth first from the empty cache, requests ascending, answers ascending as bitmasks.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kvtheory.errors import InputError, LimitError
from kvtheory.model import LongArray
from kvtheory.ratio.certificate import MOST_CLOSED_SETS, MOST_POSITIONS, SCHEMA, sign
from kvtheory.ratio.game import fraction
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import BestDeterministic, BestRandomized
from kvtheory.ratio.minimax_adversary import Adversary
from kvtheory.ratio.minimax_game import Played

KINDS = ("exact", "lower", "upper")


def best_certificate(found: BestDeterministic | BestRandomized, kind: str | None = None) -> dict[str, Any]:
    """Prove the best ratio, or one bound on it.

    Args:
        found: bounds and what proves them.
        kind: `exact`, `lower` or `upper`; None for the exact ratio where the bounds meet, else for the lower
            bound, or for the upper one where no adversary proves more than 1.

    Raises:
        InputError: for a kind that is not proved.
        LimitError: if the instance is too large for the verifier or for a file.
    """
    if kind is None:
        settled, forced = found.ratio is not None, found.adversary is not None and found.lower > 1
        kind = "exact" if settled else "lower" if forced else "upper"
    if kind not in KINDS:
        raise InputError(f"'{kind}' is none of {', '.join(KINDS)}", field="kind")
    if kind == "exact" and found.ratio is None:
        raise InputError(f"{found.lower} and {found.upper} do not meet", field="kind")
    if kind == "lower" and found.adversary is None:
        raise InputError("OPT stops paying, and there is no adversary", field="kind")
    instance, ratio = found.instance, found.upper if kind == "upper" else found.lower
    _check_size(found)
    lower = kind == "lower" or (kind == "exact" and ratio > 1)
    upper = kind != "lower"
    if isinstance(found, BestDeterministic):
        name = "best-deterministic"
        parts = (_adversary(found.adversary, instance) if lower else None, _online(found) if upper else None)
    else:
        name = "best-randomized"
        parts = (_chain(found.adversary) if lower else None, _algorithm(found) if upper else None)
    return sign(
        {
            "schema": SCHEMA,
            "instance": {
                "parents": list(instance.parents[1:]),
                "capacity": min(instance.capacity, instance.tree.n),
                "requestable": list(instance.requestable),
            },
            "policy": name,
            "automaton": None,
            "claim": {"ratio": fraction(ratio), "kind": kind},
            "lower": parts[0],
            "upper": parts[1],
        }
    )


def _check_size(found: BestDeterministic | BestRandomized) -> None:
    sets = len(found.instance.closed)
    if sets > MOST_CLOSED_SETS:
        raise LimitError(f"more than {MOST_CLOSED_SETS:,} cache states: too many for the verifier")
    if isinstance(found, BestDeterministic):
        positions = len(found.online.pairs) + (len(found.adversary.pairs) if found.adversary else 0)
    else:
        chain = len(found.adversary.chance) if found.adversary else 0
        positions = len(found.works) * len(found.instance.requestable) + chain * sets
    if positions > MOST_POSITIONS:
        raise LimitError(f"a certificate of {positions:,} positions: more than {MOST_POSITIONS:,}")


def _potentials(values: LongArray, unit: int) -> list[str | None]:
    return [fraction(Fraction(int(value), unit)) for value in values]


def _online(found: BestDeterministic) -> dict[str, Any]:
    """For each position and request the nodes that the algorithm evicts."""
    instance, played = found.instance, found.online
    closed = instance.closed.tolist()
    evictions = []
    for (_, i), row in zip(played.pairs.tolist(), played.table.tolist(), strict=True):
        unions = (closed[i] | instance.paths[v] for v in instance.requestable)
        evictions.append([list(instance.nodes(u & ~closed[j])) for u, j in zip(unions, row, strict=True)])
    return {"potentials": _potentials(played.potential, played.ratio.denominator), "evictions": evictions}


def _adversary(played: Played | None, instance: Instance) -> dict[str, Any]:
    """For each position the request, and what the algorithm owes from there on at the least."""
    assert played is not None
    requests = [instance.requestable[r] for r in played.table.tolist()]
    return {"requests": requests, "potentials": _potentials(-played.potential, played.ratio.denominator)}


def _algorithm(found: BestRandomized) -> dict[str, Any]:
    """For each work function a distribution, and for each request how it moves: [before, after, chance]."""
    policy, instance = found.policy(), found.instance
    closed = instance.closed.tolist()
    places = [{i: n for n, i in enumerate(shares)} for shares in policy.distribution]
    couplings = []
    for q, row in enumerate(policy.coupling):
        after = found.works.next[q].tolist()
        couplings.append(
            [
                [[places[q][i], places[to][j], fraction(x)] for (i, j), x in coupling.items()]
                for to, coupling in zip(after, row, strict=True)
            ]
        )
    return {
        "potentials": [fraction(x) for x in policy.potential],
        "distributions": [
            [[list(instance.nodes(closed[i])), fraction(x)] for i, x in shares.items()]
            for shares in policy.distribution
        ],
        "couplings": couplings,
    }


def _chain(adversary: Adversary | None) -> dict[str, Any]:
    """The chain of requests, [node, chance, next state] by state, and both players' potentials."""
    assert adversary is not None
    steps = zip(adversary.chance, adversary.after, strict=True)
    return {
        "prefix": list(adversary.prefix),
        "chain": [[[v, fraction(p), after[v]] for v, p in sorted(chance.items())] for chance, after in steps],
        "gain": fraction(adversary.gain),
        "opt": fraction(adversary.opt),
        "online": [[fraction(x) for x in row] for row in adversary.online],
        "offline": [fraction(x) for x in adversary.offline.values()],
    }
