"""What an engine hits that serves several requests at a time: the simulator's counterpart of its batches.

The model of :mod:`kvtheory.model` serves one request after another. An engine admits requests to a running
batch, and whoever runs pins its blocks until its last token, the partial block at its end too. The policy's
view is the same :class:`~kvtheory.live.table.NodeTable` that runs inside vLLM; what stands here is the
scheduler: first come, first served, as many as fit, everybody one token a step.
"""

from __future__ import annotations

import numpy as np

from kvtheory.errors import InputError
from kvtheory.live.table import NodeTable
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import AnyPolicy


def hits_together(
    trace: Trace,
    policy: AnyPolicy,
    blocks: int,
    together: int,
    *,
    outputs: IntArray | int = 1,
    seed: int = 0,
) -> IntArray:
    """Blocks of each request that are cached when it is admitted, int32, shape (requests,).

    Prompts are the paths of the trace and a rest that fills no block, and the output still fits beside it. A
    request is admitted, in order, once the blocks that nobody uses can hold what it lacks; the whole prompt
    is computed in the step that admits it. With `together` 1 this is the simulator at capacity `blocks` - 1.

    Args:
        trace: the requests, in order of arrival.
        policy: who chooses the victims.
        blocks: usable blocks of the engine's cache, vLLM's null block not counted.
        together: requests in flight at most.
        outputs: tokens that a request generates, one a step; one number or int, shape (requests,).
        seed: of every draw.

    Raises:
        InputError: if a request cannot fit the cache, or a number is not positive.
    """
    given = np.asarray(outputs)
    if given.dtype.kind not in "iu" or given.shape not in ((), (len(trace),)):
        raise InputError(f"one whole number, or one for each of {len(trace)} requests", field="outputs")
    steps = np.broadcast_to(given.astype(np.int32), (len(trace),))
    if min(blocks - 1, together, int(steps.min(initial=1))) < 1:
        raise InputError("must be positive, and there must be two blocks", field="blocks, together, outputs")
    if int(trace.depths.max(initial=0)) >= blocks:
        raise InputError(f"a prompt does not fit {blocks} blocks", file=trace.source)
    engine = _Engine(trace, policy, blocks, together, steps, seed)
    while engine.step():
        pass
    return engine.hits


class _Engine:
    def __init__(
        self, trace: Trace, policy: AnyPolicy, blocks: int, together: int, steps: IntArray, seed: int
    ) -> None:
        self.trace, self.blocks, self.together, self.steps = trace, blocks, together, steps
        self.table: NodeTable[int] = NodeTable(policy, blocks - 1, blocks + 1, seed)
        self.hits = np.zeros(len(trace), np.int32)
        self.users = np.zeros(trace.tree.n + 1, np.int32)
        self.left: dict[int, int] = {}
        """Requests that run, in order of admission, and how many tokens they have still to generate."""
        self.next = self.used = 0
        self.empty = blocks

    def step(self) -> bool:
        """Admit whoever fits, let everybody generate a token; False once nobody is left."""
        arrived = min(len(self.trace), self.next + self.together - len(self.left))
        while self.next < arrived and self._admit(self.next):
            self.left[self.next] = int(self.steps[self.next])
            self.next += 1
        for request in list(self.left):
            self.left[request] -= 1
            if not self.left[request]:
                del self.left[request]
                self._finish(request)
        return bool(self.left) or self.next < len(self.trace)

    def _admit(self, request: int) -> bool:
        path = self.trace.tree.path(int(self.trace.requests[request]))
        hit = next((i for i, v in enumerate(path) if v not in self.table), len(path))
        idle = [v for v in path[:hit] if not self.users[v]]
        lacking = len(path) - hit + 1
        if self.used + len(idle) + lacking > self.blocks:
            return False
        self.hits[request] = hit
        slots = self.table.slots(path)
        gaining = [self.table.slot(v) for v in idle + path[hit:]]
        self.table.serve(slots, np.array(gaining, np.int32), len(path))
        self.empty += len(self.table.evict(max(0, lacking - self.empty))) - lacking
        self.users[path] += 1
        self.used += len(idle) + lacking
        return True

    def _finish(self, request: int) -> None:
        path = self.trace.tree.path(int(self.trace.requests[request]))
        self.users[path] -= 1
        idle = [v for v in reversed(path) if not self.users[v]]
        self.table.release(np.array([self.table.slot(v) for v in idle], np.int32))
        self.used -= len(idle) + 1
        self.empty += 1
