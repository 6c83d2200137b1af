"""A policy that is told when nodes will be requested next, and how one is bound to who tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from kvtheory.advice.learned import PastWaits
from kvtheory.advice.predictor import Expected, Predictor
from kvtheory.hedge import Hedge
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class Advised(ObjectPolicy):
    """Asks `advisor` in every request, and knows when each cached node is expected.

    Attributes:
        advisor: makes the predictor; what a policy of the registry is told is learned from its own past.
    """

    name = "advised"
    advisor: ClassVar[Callable[[], Predictor]] = PastWaits

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.predictor = type(self).advisor()
        self.expected = Expected()
        self.arriving: dict[Key, int] = {}

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.expected.tick()
        told = self.predictor.predict(path)
        held = len(cached)
        for v, when in zip(cached, told, strict=False):
            self.expected.expect(v, when)
        self.arriving = dict(zip(path[held:], told[held:], strict=True))

    def on_insert(self, v: Key) -> None:
        """What a live engine inserts after the next request has come is expected at once."""
        self.expected.expect(v, self.arriving.pop(v, self.expected.now))

    def on_evict(self, v: Key) -> None:
        self.expected.forget(v)


def advised(policy: type[ObjectPolicy], advisor: Callable[[], Predictor]) -> type[ObjectPolicy]:
    """The same policy, told by another predictor: one that knows the future, above all.

    Args:
        policy: an :class:`Advised` one, or a hedge that follows such a one.
        advisor: makes a predictor; called for each cache.

    Raises:
        TypeError: if the policy takes no advice.
    """
    changed: dict[str, Any]
    if issubclass(policy, Hedge):
        changed = {"leader": advised(policy.leader, advisor)}
    elif issubclass(policy, Advised):
        changed = {"advisor": staticmethod(advisor)}
    else:
        raise TypeError(f"{policy.name} takes no advice")
    return type(policy.__name__, (policy,), {"__doc__": policy.__doc__, **changed})
