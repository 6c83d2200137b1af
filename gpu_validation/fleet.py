"""Several engines, each in a process of its own and serving one request at a time.

The parent hands over the prompts once, then numbers: what goes through a pipe while requests are served is a
few bytes. A child ends with its parent, and a child that is gone is one clear line.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from gpu_validation.engine import ENVIRONMENT, Job
from kvtheory.errors import InputError, KVTheoryError

CORE = "VLLM_CPU_OMP_THREADS_BIND"
GPUS = "CUDA_VISIBLE_DEVICES"
PATIENCE = 10.0
"""Seconds that an engine has for ending by itself."""


class EngineError(KVTheoryError):
    """An engine's process failed or is gone."""


class Happening(NamedTuple):
    """What an engine says of the request that it serves.

    Attributes:
        engine, request: who, and which.
        at: when this process heard of it, in seconds of `Fleet.now`.
        served: prompt and cached tokens as the engine reports them; None when it is the first token.
    """

    engine: int
    request: int
    at: float
    served: tuple[int, int] | None


class Fleet(Protocol):
    """What the dispatcher asks of engines that serve one request at a time."""

    def now(self) -> float:
        """Seconds of a clock that does not go back."""

    def begin(self, engine: int, request: int) -> None:
        """Serve a request; the engine is idle."""

    def next(self, until: float | None) -> Happening | None:
        """What happens next; None if nothing does before the clock shows `until`."""


class Engines:
    """Engines in processes of their own; a context that ends with all of them.

    Args:
        starts: what makes each engine, in its process, as :class:`gpu_validation.engine.Engine` is one; must
            be picklable.
        environments: of each process, beside this one's.
        one_by_one: start each when the one before it is ready: they share a GPU.

    Raises:
        InputError: if an engine refuses what it is asked for.
        EngineError: if an engine fails or is gone.
    """

    def __init__(
        self,
        starts: Sequence[Callable[[], Any]],
        environments: Sequence[dict[str, str]],
        *,
        one_by_one: bool = False,
    ) -> None:
        context = get_context("spawn")
        self.processes: list[BaseProcess] = []
        self.connections: list[Connection] = []
        self._heard: deque[Happening] = deque()
        facts: list[Any] = []
        try:
            for start, environment in zip(starts, environments, strict=True):
                mine, theirs = context.Pipe()
                process = context.Process(target=_child, args=(theirs, start, environment), daemon=True)
                process.start()
                theirs.close()
                self.processes.append(process)
                self.connections.append(mine)
                if one_by_one:
                    facts.append(self._answer(len(facts)))
            facts += [self._answer(engine) for engine in range(len(facts), len(starts))]
        except BaseException:
            self.close(patience=0)
            raise
        self.capacity, self.vocabulary, self.kind = facts[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(patience=0 if kind else PATIENCE)

    def close(self, *, patience: float = PATIENCE) -> None:
        """Ask each to end, and end those that have not after `patience` seconds."""
        for connection in self.connections:
            try:
                connection.send(None)
            except OSError:
                continue
        for process in self.processes:
            process.join(patience)
            for stop in (process.terminate, process.kill):
                if process.is_alive():
                    stop()
                    process.join(PATIENCE / 2)
        for connection in self.connections:
            connection.close()
        self.processes, self.connections = [], []

    def load(self, jobs: Sequence[Job]) -> None:
        """The requests to serve from now on, by number."""
        self._ask_all([("load", list(jobs))] * len(self.processes))

    def switch(self, policy: str | None, seeds: Sequence[int]) -> None:
        """Empty every cache and let `policy` evict, with a seed for each engine; None for stock vLLM."""
        self._ask_all([("switch", policy, seed) for seed in seeds])

    def status(self) -> list[dict[str, Any] | None]:
        """What the policy did in each engine."""
        return self._ask_all([("status",)] * len(self.processes))

    def now(self) -> float:
        return time.perf_counter()

    def begin(self, engine: int, request: int) -> None:
        self._send(engine, ("serve", request))

    def next(self, until: float | None) -> Happening | None:
        while not self._heard:
            left = None if until is None else max(0.0, until - self.now())
            ready = wait([*self.connections, *(process.sentinel for process in self.processes)], left)
            if not ready:
                return None
            for engine, connection in enumerate(self.connections):
                if connection in ready or self.processes[engine].sentinel in ready:
                    request, served = self._answer(engine)
                    self._heard.append(Happening(engine, request, self.now(), served))
        return self._heard.popleft()

    def _ask_all(self, messages: Sequence[Any]) -> list[Any]:
        for engine, message in enumerate(messages):
            self._send(engine, message)
        return [self._answer(engine) for engine in range(len(messages))]

    def _send(self, engine: int, message: Any) -> None:
        try:
            self.connections[engine].send(message)
        except OSError as error:
            raise self._gone(engine) from error

    def _answer(self, engine: int) -> Any:
        """What an engine says next, waiting for it as long as its process lives."""
        connection = self.connections[engine]
        wait([connection, self.processes[engine].sentinel])
        try:
            if not connection.poll():
                raise self._gone(engine)
            kind, answer = connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone(engine) from error
        if kind == "refused":
            raise InputError(f"engine {engine}: {answer}")
        if kind == "failed":
            raise EngineError(f"engine {engine}: {answer}")
        return answer

    def _gone(self, engine: int) -> EngineError:
        process = self.processes[engine]
        process.join(PATIENCE)
        return EngineError(f"the process of engine {engine} is gone (exit code {process.exitcode})")


def _child(connection: Connection, start: Callable[[], Any], environment: dict[str, str]) -> None:
    """Serve what the parent asks for until it asks for an end, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    os.environ.update(environment)
    try:
        try:
            with start() as engine:
                kind = type(getattr(engine, "llm", engine)).__name__
                connection.send(("ready", (engine.capacity, engine.vocabulary, kind)))
                _converse(connection, engine)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except InputError as error:
            connection.send(("refused", _line(str(error))))
        except Exception as error:
            connection.send(("failed", _line(f"{type(error).__name__}: {error}")))
    except OSError:
        return


def _converse(connection: Connection, engine: Any) -> None:
    jobs: list[Job] = []
    while (message := connection.recv()) is not None:
        match message:
            case "serve", request:
                first = partial(connection.send, ("first", (request, None)))
                done = engine.serve_one(jobs[request], first)
                connection.send(("served", (request, (done.prompt_tokens, done.cached_tokens))))
            case "load", jobs:
                connection.send(("loaded", None))
            case "switch", policy, seed:
                connection.send(("switched", engine.switch(policy, seed)))
            case "status", *_:
                connection.send(("status", engine.status()))


def _line(text: str) -> str:
    return " ".join(text.partition("\n")[0].split())


def places(engines: int, gpus: int) -> tuple[list[dict[str, str]], float | None, bool]:
    """Where each engine runs.

    Args:
        engines: how many.
        gpus: that torch finds; 0 for a CPU.

    Returns:
        of each engine's process what it adds to the environment, the share of a GPU's memory that it may
        use (None on a CPU), and whether any share a GPU.
    """
    if not gpus:
        if os.environ.get(CORE, ENVIRONMENT[CORE]) != ENVIRONMENT[CORE]:
            return [{} for _ in range(engines)], None, False
        cores = sorted(os.sched_getaffinity(0))
        return [{CORE: str(cores[(1 + e) % len(cores)])} for e in range(engines)], None, False
    named = os.environ.get(GPUS)
    names = [name.strip() for name in named.split(",")][:gpus] if named else list(map(str, range(gpus)))
    most = -(-engines // len(names))
    return [{GPUS: names[e % len(names)]} for e in range(engines)], 0.9 / most, most > 1
