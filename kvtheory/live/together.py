"""What an engine hits that serves several requests at a time: the simulator's counterpart of its batches.

The model of :mod:`kvtheory.model` serves one request after another. An engine admits requests to a running
batch, and whoever runs pins its blocks until its last token, the partial block at its end too
(:mod:`kvtheory.engine.pinned`). What stands here is the scheduler: first come, first served, as many as fit,
everybody one token a step. :mod:`kvtheory.engine.batching` has the same with chunks and with time.
"""

from __future__ import annotations

import numpy as np

from kvtheory.engine.pinned import PinnedCache
from kvtheory.errors import InputError
from kvtheory.facts import Facts
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import AnyPolicy, reads


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
        self.together, self.steps = together, steps
        self.cache = PinnedCache(trace.tree, policy, blocks, seed)
        self.nodes: list[int] = trace.requests.tolist()
        self.facts = Facts.of(trace, reads(policy))
        self.hits = np.zeros(len(trace), np.int32)
        self.left: dict[int, int] = {}
        """Requests that run, in order of admission, and how many tokens they have still to generate."""
        self.next = 0

    def step(self) -> bool:
        """Admit whoever fits, let everybody generate a token; False once nobody is left."""
        arrived = min(len(self.nodes), self.next + self.together - len(self.left))
        while self.next < arrived:
            admitted = self.cache.admit(self.nodes[self.next], self.facts[self.next])
            if admitted is None:
                break
            self.hits[self.next] = admitted.hit
            self.left[self.next] = int(self.steps[self.next])
            self.next += 1
        for request in list(self.left):
            self.left[request] -= 1
            if not self.left[request]:
                del self.left[request]
                self.cache.finish(self.nodes[request])
        return bool(self.left) or self.next < len(self.nodes)
