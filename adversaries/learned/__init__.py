"""An adversary that learns: it sees OPT's work function and what is likely cached, and asks for a node.

:func:`search` needs torch; importing this package does not.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from kvtheory.errors import InputError

if TYPE_CHECKING:
    from kvtheory.model import PrefixTree
    from kvtheory.policy import Policy


def require_torch() -> None:
    """Raise InputError where torch is not installed."""
    if find_spec("torch") is None:
        raise InputError("learned needs torch: pip install 'kvtheory[torch]'", field="method")


def search(
    tree: PrefixTree,
    capacity: int,
    policy: type[Policy],
    *,
    length: int,
    evaluations: int,
    seed: int,
) -> list[int]:
    """The request sequence with the largest ALG/OPT that a learned adversary played.

    Args:
        tree: the prefixes, at most 62 nodes, with few enough closed sets for a work function.
        capacity: nodes the cache holds.
        policy: the policy to break.
        length: requests in a sequence.
        evaluations: sequences it may play.
        seed: of its weights and choices; the same seed gives the same sequence on the same machine.

    Raises:
        InputError: where torch is missing, a number is not positive, or nothing can be requested.
        LimitError: if there are more than 2**18 cache states.
    """
    require_torch()
    from adversaries.learned.training import learn

    return learn(tree, capacity, policy, length=length, evaluations=evaluations, seed=seed).requests
