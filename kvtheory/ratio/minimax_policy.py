"""The best randomised algorithm, written down so that it can be played.

It keeps OPT's work function; on a request it looks its cache state up in the coupling and draws the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.errors import VerificationError
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax_algorithm import Algorithm
from kvtheory.ratio.rational_lp import Coupling
from kvtheory.ratio.work_function import WorkFunctions

SCHEMA = "kvtheory-policy/1"


@dataclass(frozen=True, eq=False)
class RandomizedPolicy:
    """An algorithm as tables; work functions are numbered in the order of discovery, 0 is the empty cache's.

    Attributes:
        works: OPT's automaton.
        ratio: the ratio that the potentials prove.
        distribution: for each work function, cache state index to probability.
        potential: for each work function.
        loads: for each work function and request, the expected number of nodes loaded.
        coupling: for each work function and request, (state before, state after) to probability; the state
            after is drawn with probability `coupling[before, after] / distribution[before]`.
    """

    works: WorkFunctions
    ratio: Fraction
    distribution: list[dict[int, Fraction]]
    potential: list[Fraction]
    loads: list[list[Fraction]]
    coupling: list[list[Coupling]]

    @classmethod
    def of(cls, algorithm: Algorithm) -> RandomizedPolicy:
        """Every work function's tables, from the representatives'."""
        works = algorithm.orbits.works
        functions, requests = works.next.shape
        table = [[algorithm.coupling(q, r) for r in range(requests)] for q in range(functions)]
        return cls(
            works,
            algorithm.ratio,
            [algorithm.distribution(q) for q in range(functions)],
            [algorithm.potential(q) for q in range(functions)],
            [[cost for cost, _ in row] for row in table],
            [[coupling for _, coupling in row] for row in table],
        )

    @property
    def instance(self) -> Instance:
        """The game."""
        return self.works.instance

    def check(self) -> None:
        """Check every distribution, coupling and potential over again, in Fractions.

        Raises:
            VerificationError: naming the first that fails.
        """
        closed = self.instance.closed.tolist()
        if self.distribution[0] != {0: Fraction(1)}:
            raise VerificationError("the algorithm does not start from the empty cache")
        for q, before in enumerate(self.distribution):
            if sum(before.values()) != 1 or min(before.values()) < 0:
                raise VerificationError(f"the distribution of work function {q} is none")
            for r, v in enumerate(self.instance.requestable):
                to, path = int(self.works.next[q, r]), self.instance.paths[v]
                moves = self.coupling[q][r]
                loads = sum(x * (closed[j] & ~closed[i]).bit_count() for (i, j), x in moves.items())
                if loads != self.loads[q][r] or min(moves.values()) < 0:
                    raise VerificationError(f"the coupling of work function {q}, node {v}")
                if _marginal(moves, 0) != before or _marginal(moves, 1) != self.distribution[to]:
                    raise VerificationError(f"the coupling of work function {q}, node {v}, does not fit")
                if any(closed[j] & path != path for _, j in moves):
                    raise VerificationError(f"node {v} is not served at work function {q}")
                owed = self.ratio * int(self.works.increase[q, r])
                if loads - owed + self.potential[to] > self.potential[q]:
                    raise VerificationError(f"the potential of work function {q} at node {v}")

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings: nodes as on the command line, rationals as "p/q"."""
        nodes = [list(self.instance.nodes(mask)) for mask in self.instance.closed.tolist()]
        return {
            "schema": SCHEMA,
            "tree": list(self.instance.parents[1:]),
            "capacity": self.instance.capacity,
            "requestable": list(self.instance.requestable),
            "ratio": _text(self.ratio),
            "work_functions": [
                {
                    "distribution": [[nodes[i], _text(x)] for i, x in self.distribution[q].items()],
                    "potential": _text(self.potential[q]),
                    "requests": list(self._requests(q, nodes)),
                }
                for q in range(len(self.works))
            ],
        }

    def _requests(self, q: int, nodes: list[list[int]]) -> Iterator[dict[str, Any]]:
        for r, v in enumerate(self.instance.requestable):
            yield {
                "node": v,
                "next": int(self.works.next[q, r]),
                "opt_increase": int(self.works.increase[q, r]),
                "loads": _text(self.loads[q][r]),
                "moves": [[nodes[i], nodes[j], _text(x)] for (i, j), x in self.coupling[q][r].items()],
            }

    def play(self, requests: list[int], rng: np.random.Generator) -> int:
        """Nodes loaded on one random run from the empty cache; draws compare integers, never floats."""
        column = {v: r for r, v in enumerate(self.instance.requestable)}
        closed = self.instance.closed.tolist()
        q, state, loaded = 0, 0, 0
        for v in requests:
            moves = [(j, x) for (i, j), x in self.coupling[q][column[v]].items() if i == state]
            total = sum((x for _, x in moves), Fraction(0))
            unit = max(x.denominator for _, x in moves)
            for _, x in moves:
                unit = unit * x.denominator // np.gcd(unit, x.denominator)
            draw = int(rng.integers(int(total * unit)))
            for j, x in moves:
                draw -= int(x * unit)
                if draw < 0:
                    loaded += (closed[j] & ~closed[state]).bit_count()
                    state = j
                    break
            q = int(self.works.next[q, column[v]])
        return loaded


def _marginal(moves: Coupling, side: int) -> dict[int, Fraction]:
    total: dict[int, Fraction] = {}
    for pair, x in moves.items():
        total[pair[side]] = total.get(pair[side], Fraction(0)) + x
    return dict(sorted((i, x) for i, x in total.items() if x))


def _text(x: Fraction) -> str:
    return f"{x.numerator}/{x.denominator}"
