"""vLLM with a fixed KV cache and any policy; `Engine` has its core in this process, so that a run repeats."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gpu_validation.shapes import model_folder

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # CUDA has been looked at before there is an engine
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "1",
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True)
class Served:
    """One request as the engine served it.

    Attributes:
        request: its number.
        prompt_tokens, cached_tokens: as the engine reports them.
        ttft: seconds from arrival to the first token, waiting included.
        output: tokens generated.
    """

    request: int
    prompt_tokens: int
    cached_tokens: int
    ttft: float
    output: tuple[int, ...]


@dataclass(frozen=True)
class Job:
    """One request to serve.

    Attributes:
        prompt: its tokens.
        output: how many tokens to generate.
        arrival: when it arrives, in seconds.
        about: what it says of itself, as :class:`kvtheory.facts.Facts` has it; its `timestamp` is the time
            that an engine in this process is told that it came.
    """

    prompt: Sequence[int]
    output: int = 1
    arrival: float = 0.0
    about: Mapping[str, int | float] = field(default_factory=dict)


def sampling(job: Job) -> Any:
    """Greedy, exactly `job.output` tokens."""
    from vllm import SamplingParams

    extra = {"kvtheory": dict(job.about)} if job.about else None
    return SamplingParams(
        max_tokens=job.output, temperature=0, detokenize=False, ignore_eos=True, extra_args=extra
    )


class AnyEngine(ABC):
    """vLLM with a fixed number of KV-cache blocks; a context that ends with the engine.

    Args:
        model: a name of `SHAPES` or a folder.
        block: tokens in a block (the CPU build wants multiples of 32).
        blocks: blocks of the KV cache, vLLM's null block included.
        longest: longest prompt and output, in tokens.
        folder: for the config of a shape.
        options: more arguments of `vllm.LLM`.
    """

    llm: Any

    def __init__(
        self, model: str, *, block: int, blocks: int, longest: int, folder: Path, **options: Any
    ) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from kvtheory.live import plugin

        plugin.register()
        path, random_weights, self.vocabulary = model_folder(model, longest, folder)
        self.block, self.blocks = block, blocks
        self._served = 0
        chosen: dict[str, Any] = {
            "skip_tokenizer_init": True,
            "block_size": block,
            "num_gpu_blocks_override": blocks,
            "max_model_len": longest,
            "enforce_eager": True,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "seed": 0,
            **options,
        }
        self._start(model=path, load_format="dummy" if random_weights else "auto", **chosen)

    @abstractmethod
    def _start(self, **arguments: Any) -> None:
        """Start the engine as `self.llm`."""

    @property
    @abstractmethod
    def core(self) -> Any:
        """What the plugin is asked through."""

    @abstractmethod
    def serve(self, jobs: Sequence[Job], *, together: int = 1) -> list[Served]:
        """Serve jobs in order, at most `together` at a time; arrivals are ignored."""

    @abstractmethod
    def serve_timed(self, jobs: Sequence[Job]) -> list[Served]:
        """Serve jobs as they arrive; TTFT counts from the planned arrival."""

    @abstractmethod
    def close(self) -> None:
        """Stop the engine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def capacity(self) -> int:
        """Nodes of the prefix cache: blocks less the null block and the one that holds a partial block."""
        return self.blocks - 2

    def switch(self, policy: str | None, seed: int = 0) -> dict[str, Any] | None:
        """Empty the cache and let `policy` evict; None for stock vLLM.

        Raises:
            InputError: if the plugin is not in the engine.
            RuntimeError: if the engine does not run what was asked for.
        """
        from kvtheory.live.plugin import ask

        found: dict[str, Any] | None = ask(self.core, "switch", policy, seed)
        if (found["policy"] if found else None) != policy:
            raise RuntimeError(f"the engine does not run {policy}: {found}")
        return found

    def status(self) -> dict[str, Any] | None:
        """What the policy did; None for stock vLLM."""
        from kvtheory.live.plugin import ask

        found: dict[str, Any] | None = ask(self.core, "status")
        return found

    def _name(self, number: int) -> str:
        """A name that no request of this engine has had."""
        self._served += 1
        return f"{number}.{self._served}"


class Engine(AnyEngine):
    """`vllm.LLM` in this process, stepped by hand."""

    def _start(self, **arguments: Any) -> None:
        from vllm import LLM

        self.llm = LLM(**arguments)

    @property
    def core(self) -> Any:
        """Client of the engine core."""
        return self.llm.llm_engine.engine_core

    def close(self) -> None:
        """Stop vLLM now: it keeps process groups in globals, and another engine would lose its own later."""
        if "llm" in self.__dict__:
            self.core.shutdown()
            del self.llm

    @property
    def pool(self) -> Any:
        """The block pool, for checks."""
        return self.core.engine_core.scheduler.kv_cache_manager.block_pool

    def add(self, number: int, job: Job) -> str:
        """Hand one request over; its name in the engine."""
        name = self._name(number)
        prompt = {"prompt_token_ids": list(job.prompt)}
        came = job.about.get("timestamp")
        self.llm.llm_engine.add_request(name, prompt, sampling(job), arrival_time=came)
        return name

    def abort(self, names: Sequence[str]) -> None:
        """Drop requests wherever they are."""
        self.llm.llm_engine.abort_request(list(names))

    def serve(self, jobs: Sequence[Job], *, together: int = 1) -> list[Served]:
        run = _Run(self, jobs)
        while not run.done:
            while len(run.waiting) < together and run.next < len(jobs):
                run.begin(time.perf_counter())
            run.step()
        return run.results()

    def serve_one(self, job: Job, on_first_token: Callable[[], None]) -> Served:
        """Serve one request, and tell of its first token when it is there."""
        run, told = _Run(self, [job]), False
        run.begin(time.perf_counter())
        while not run.done:
            run.step()
            if run.first and not told:
                told = True
                on_first_token()
        return run.results()[0]

    def serve_timed(self, jobs: Sequence[Job]) -> list[Served]:
        run, start = _Run(self, jobs), time.perf_counter()
        while not run.done:
            while run.next < len(jobs) and start + jobs[run.next].arrival <= time.perf_counter():
                run.begin(start + jobs[run.next].arrival)
            if run.waiting:
                run.step()
            else:
                time.sleep(max(0.0, start + jobs[run.next].arrival - time.perf_counter()))
        return run.results()


class _Run:
    """Requests under way, and what is known of them."""

    def __init__(self, engine: Engine, jobs: Sequence[Job]) -> None:
        self.engine, self.jobs, self.next = engine, jobs, 0
        self.waiting: dict[str, tuple[int, float]] = {}
        self.first: dict[int, float] = {}
        self.served: dict[int, Served] = {}

    @property
    def done(self) -> bool:
        return len(self.served) == len(self.jobs)

    def begin(self, arrival: float) -> None:
        name = self.engine.add(self.next, self.jobs[self.next])
        self.waiting[name] = self.next, arrival
        self.next += 1

    def step(self) -> None:
        outputs = self.engine.llm.llm_engine.step()
        now = time.perf_counter()
        for output in outputs:
            number, arrival = self.waiting[output.request_id]
            if output.outputs and output.outputs[0].token_ids:
                self.first.setdefault(number, now - arrival)
            if output.finished:
                del self.waiting[output.request_id]
                self.served[number] = Served(
                    number,
                    len(output.prompt_token_ids),
                    int(output.num_cached_tokens or 0),
                    self.first[number],
                    tuple(output.outputs[0].token_ids),
                )

    def results(self) -> list[Served]:
        return [self.served[number] for number in range(len(self.jobs))]
