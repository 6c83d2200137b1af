"""RLT's exact ratio, or bounds on it, for every tree of 7 nodes and capacity from 2.

    python tests/benchmarks/table_rlt.py

writes docs/_static/requestable/rlt_seven.json in about six minutes: parents, k, lower and upper bound,
whether all distributions were explored, states, W, w. Trees of up to 6 nodes: tests/ratio/test_game.py.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.testing.instances import all_trees
from kvtheory.width import width

FILE = Path(__file__).parents[2] / "docs" / "_static" / "requestable" / "rlt_seven.json"
NODES, BUDGET = 7, 1000


def row(parents: list[int], capacity: int) -> list[object]:
    """One instance."""
    tree = PrefixTree.from_parents(parents)
    game = play(Instance.of(tree, capacity), RLT, budget=BUDGET)
    found, widths = game.result(), width(tree, capacity)
    bounds = [str(found.lower), str(found.upper)]
    return [parents, capacity, *bounds, game.complete, found.states, widths.W, widths.w]


def write(rows: list[list[object]]) -> None:
    """The file, with the digest of its rows."""
    text = json.dumps(rows, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    body = json.dumps({"sha256": digest, "rows": rows}, separators=(",", ":"))
    FILE.write_text(body.replace("[[", "\n[[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(
        [
            row(list(parents), capacity)
            for parents in all_trees(NODES)
            for capacity in range(max(2, PrefixTree.from_parents(parents).height), NODES)
        ]
    )
