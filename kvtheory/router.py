"""What a router is: it sends each request to a worker, and sees what a real router sees.

A real router sees the prompt, its own dispatches, first tokens and completions with what the engine reports
of them, and which workers are up. What the workers cache it can only guess, from an index of its own. A
router that declares itself `omniscient` may also read the true caches and the true work of each worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from kvtheory.errors import RouterError
from kvtheory.model import CostModel, Floats, IntArray, LongArray, PrefixTree
from kvtheory.policy import NAME

Flags = npt.NDArray[np.bool_]


class Arrival(NamedTuple):
    """A request as it reaches the router.

    Attributes:
        request: its place in the trace.
        node: its prompt, as far as a cache can hold it.
        length: of the whole prompt, in nodes or tokens.
        session: the conversation that it belongs to.
        now: the router's clock, in units of time.
    """

    request: int
    node: int
    length: int
    session: int
    now: float


class Completion(NamedTuple):
    """What the router learns when a request is done.

    Attributes:
        request: its place in the trace.
        worker: who served it.
        now: the router's clock.
        latency: from its arrival to its last token, in units of time, as the router's clock counts it.
        ttft: from its arrival to its first token.
        hit: cached part of its prompt as the worker reports it, in nodes or tokens.
    """

    request: int
    worker: int
    now: float
    latency: float
    ttft: float
    hit: int


class Truth(Protocol):
    """What an omniscient router may ask the workers."""

    def match(self, v: int) -> IntArray:
        """Deepest node of the path of `v` that each worker will hold when its queue is served, 0 for none."""

    def backlog(self, now: float) -> Floats:
        """Time until each worker has served what it was sent; shape (workers,)."""

    def costs_of(self, request: int) -> Floats:
        """Service cost of a request at each worker, by what `match` says; shape (workers,)."""

    @property
    def load(self) -> Floats:
        """Summed service cost of what each worker was sent and did not lose; shape (workers,)."""


@dataclass(eq=False)
class View:
    """What the cluster shows its router.

    Attributes:
        tree: all prompts; a router looks at the paths of those it has been asked about.
        workers: how many there are.
        capacity: nodes that each worker caches.
        above: int64, shape (n+1,): nodes or tokens of the path of each node.
        costs: what the operator knows of service costs, in the clock's units.
        millisecond: in the clock's units; one unit of cost where time is not in seconds.
        seed: of every draw.
        up: bool, shape (workers,): who can be sent requests. Kept current by the cluster.
    """

    tree: PrefixTree
    workers: int
    capacity: int
    above: LongArray
    costs: CostModel = field(default_factory=CostModel)
    millisecond: float = 1.0
    seed: int = 0
    up: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    truth: Truth | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.up.size:
            self.up = np.ones(self.workers, np.bool_)

    def true(self) -> Truth:
        """The workers themselves: their caches and their work.

        Raises:
            RouterError: if the router did not declare itself omniscient.
        """
        if self.truth is None:
            raise RouterError("the true state of the workers is for omniscient routers alone")
        return self.truth


class Router:
    """Base of every router. Subclass it, give it a name, and define `choose`.

    Options are keyword arguments of `__init__` after `view`, of type bool, int, float, str or a Literal; on
    the command line `name:option=value:option=value`.

    Attributes:
        name: the router's name in the registry and on the command line.
        source: citation keys, space separated.
        omniscient: it reads the true caches and loads.
        draws: its choices depend on the seed.
        hashes: its choices depend on the numbers of nodes, which stand for what a real router would hash.
        watches_first_tokens: `on_first_token` is called.
        outstanding: int64, shape (workers,): requests sent and not yet completed, kept by the base class.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    omniscient: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    hashes: ClassVar[bool] = False
    watches_first_tokens: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not NAME.fullmatch(cls.name):
            raise RouterError(f"{cls.__name__}: needs a name (a-z, then a-z, 0-9, _), not '{cls.name}'")

    def __init__(self, view: View) -> None:
        self.view = view
        self.outstanding: LongArray = np.zeros(view.workers, np.int64)

    @classmethod
    def summary(cls) -> str:
        """First line of the docstring, without citations."""
        return (cls.__doc__ or "").strip().partition("\n")[0].split(" [")[0]

    def choose(self, arrival: Arrival) -> int:
        """The worker that serves a request, one of those that are up; ties go to the lowest."""
        raise NotImplementedError

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        """The request was sent there."""
        self.outstanding[worker] += 1

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        """The request's first token has come."""

    def on_finish(self, done: Completion) -> None:
        """The request's last token has come."""
        self.outstanding[done.worker] -= 1

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        """A worker is gone, and with it its cache and the requests that it had; they will be sent again."""
        self.outstanding[worker] = 0

    def on_up(self, worker: int, now: float) -> None:
        """A worker is back, empty."""

    def lowest(self, score: npt.NDArray[Any]) -> int:
        """The worker of least score among those that are up, the lowest of equals."""
        up = self.view.up
        return int(np.argmin(score if up.all() else np.where(up, score, np.inf)))

    def up(self) -> list[int]:
        """The workers that are up, in order."""
        return [int(w) for w in np.flatnonzero(self.view.up)]
