"""A workload of one's own: two prompts in turn that together are one node too long for the cache."""

import numpy as np

from kvtheory.model import PrefixTree, Trace


def ping_pong(*, length: int = 50, requests: int = 1000) -> Trace:
    """Two chains of `length` nodes, asked for in turn.

    Args:
        length: nodes of each chain.
        requests: how many.
    """
    parents = [-1, 0, *range(1, length), 0, *range(length + 1, 2 * length)]
    tips = np.array([length, 2 * length], dtype=np.int32)
    tree = PrefixTree(np.array(parents, dtype=np.int32))
    return Trace(tree, tips[np.arange(requests) % 2], source=f"ping_pong:{length=},{requests=}")


if __name__ == "__main__":
    from kvtheory.ratio.empirical import measure_ratios
    from kvtheory.registry import select_policies
    from kvtheory.report.table import console, print_report

    trace = ping_pong()
    print_report(measure_ratios(trace, [99], select_policies("lru,rlt"), seeds=8), console())
