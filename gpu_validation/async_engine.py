"""vLLM as a server runs it: `AsyncLLM`, the engine core in a process of its own, requests as coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from gpu_validation.engine import AnyEngine, Job, Served, sampling

T = TypeVar("T")


class AsyncEngine(AnyEngine):
    """`AsyncLLM` on an event loop that runs only while it is asked something.

    The plugin must reach the core's process: an installed entry point that `VLLM_PLUGINS` does not leave out.

    Raises:
        InputError: if it does not.
    """

    _runner: asyncio.Runner

    def _start(self, **arguments: Any) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        async def start() -> Any:
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))

        self._runner = asyncio.Runner()
        try:
            self.llm = self._runner.run(start())
            self.status()
        except BaseException:
            self.close()
            raise

    @property
    def core(self) -> Any:
        """What the plugin is asked through: vLLM's client of its engine core, made to wait for an answer."""
        return _Waiting(self)

    def close(self) -> None:
        """Stop the engine's process."""
        if llm := self.__dict__.pop("llm", None):
            self._runner.run(_shut_down(llm))
        self._runner.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the event loop until `work` is done."""
        return self._runner.run(work)

    def serve(self, jobs: Sequence[Job], *, together: int = 1) -> list[Served]:
        """Serve jobs in order, at most `together` at a time; arrivals are ignored."""

        async def all_of_them() -> list[Served]:
            queue, found = iter(enumerate(jobs)), {}

            async def one_at_a_time() -> None:
                for number, job in queue:
                    found[number] = await self._request(number, job, time.perf_counter())

            async with asyncio.TaskGroup() as group:
                for _ in range(together):
                    group.create_task(one_at_a_time())
            return [found[number] for number in range(len(jobs))]

        return self.wait(all_of_them())

    def serve_timed(self, jobs: Sequence[Job]) -> list[Served]:
        """Serve jobs as they arrive; TTFT counts from the planned arrival to the first streamed token."""

        async def all_of_them() -> list[Served]:
            start = time.perf_counter()

            async def arrive(number: int, job: Job) -> Served:
                await asyncio.sleep(start + job.arrival - time.perf_counter())
                return await self._request(number, job, start + job.arrival)

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(arrive(number, job)) for number, job in enumerate(jobs)]
            return [task.result() for task in tasks]

        return self.wait(all_of_them())

    async def _request(self, number: int, job: Job, arrival: float) -> Served:
        first = None
        prompt: Any = {"prompt_token_ids": list(job.prompt)}
        async for output in self.llm.generate(prompt, sampling(job), self._name(number)):
            if first is None and output.outputs[0].token_ids:
                first = time.perf_counter() - arrival
        assert first is not None, "finished without a token"
        return Served(
            number,
            len(output.prompt_token_ids),
            int(output.num_cached_tokens or 0),
            first,
            tuple(output.outputs[0].token_ids),
        )


class _Waiting:
    """The part of a synchronous client that `kvtheory.live.plugin.ask` calls."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    def call_utility(self, name: str, *arguments: Any) -> Any:
        core = self.engine.llm.engine_core
        return self.engine.wait(core.call_utility_async(name, *arguments))


async def _shut_down(llm: Any) -> None:
    llm.shutdown()
