"""vLLM's block pool with a policy: stock allocation, other victims.

A node of the prefix tree is a block hash; several blocks may hold the same one (a *spare* copy is free to
take). Before the stock allocation hands out blocks, the chosen victims are unhashed and moved to the head of
the free queue, behind the blocks that hold nothing. Nothing else of the pool changes, so what vLLM counts
stays true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from vllm.v1.core.block_pool import BlockPool
from vllm.v1.core.kv_cache_manager import KVCacheManager
from vllm.v1.core.kv_cache_utils import make_block_hash_with_group_id

from kvtheory.engine.node_table import NodeTable
from kvtheory.live.said import said_by
from kvtheory.object_policy import AnyPolicy, reads
from kvtheory.policy import Trait

GROUP = 0


class LivePool(BlockPool):
    """A pool that asks a policy whom to evict; becomes one by :meth:`adopt`."""

    def adopt(self, policy: AnyPolicy, seed: int) -> None:
        """Let `policy` choose from now on; the pool must be empty.

        One block is vLLM's null block and one holds the last, partial block of a prompt, so that the policy's
        cache has two nodes fewer than the pool has blocks.
        """
        self.table: NodeTable[bytes] = NodeTable(policy, self.num_gpu_blocks - 2, self.num_gpu_blocks, seed)
        self._looks_ahead = Trait.PHASES in policy.traits
        self._listens = bool(reads(policy))
        self._holder: dict[bytes, Any] = {}  # of every node a block, and of few nodes more blocks
        self._more: dict[bytes, list[Any]] = {}
        self._spares: dict[int, Any] = {}
        self._pending: set[bytes] = set()
        self._arriving: tuple[Any, int] | None = None
        self._allocating = False
        self.evictions = self.unplanned = 0

    def announce(self, request: Any, upto: int) -> None:
        """The next allocation is for a request that begins; its first `upto` full blocks come in with it."""
        self._arriving = request, upto

    def settle(self) -> None:
        """The allocation is over, made or not: nodes that were announced and did not come leave."""
        self._arriving = None
        if self._pending:
            self._abandon(list(self._pending))

    def touch(self, blocks: Sequence[Any]) -> None:
        """Take hits into use; the request that was announced is served here, before anything is evicted."""
        free = [b for b in blocks if b.ref_cnt == 0 and b.block_hash is not None and not b.is_null]
        self._serve(blocks, free)
        super().touch(blocks)
        if self._more:
            for block in free:
                self._count_spares(block.block_hash)

    def get_new_blocks(self, num_blocks: int) -> list[Any]:
        """Evict what the policy chooses, then allocate as vLLM does."""
        if self._arriving:
            self._serve([], [])
        if self.enable_caching and num_blocks <= self.get_num_free_blocks():
            self._make_room(num_blocks)
        self._allocating = True
        try:
            return list(super().get_new_blocks(num_blocks))
        finally:
            self._allocating = False

    def free_blocks(self, ordered_blocks: Iterable[Any]) -> None:
        """Take blocks out of use, tail first."""
        blocks = list(ordered_blocks)
        last = [b for b in blocks if b.ref_cnt == 1 and b.block_hash is not None and not b.is_null]
        super().free_blocks(blocks)
        self.table.release(self.table.known([b.block_hash for b in last if b.ref_cnt == 0]))
        if self._more:
            for block in last:
                self._count_spares(block.block_hash)

    def cache_full_blocks(
        self,
        request: Any,
        blocks: list[Any],
        num_cached_blocks: int,
        num_full_blocks: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Hash full blocks; those that were not announced (later chunks, generated tokens) come in here."""
        hashes = request.block_hashes[max(0, num_cached_blocks - 1) : num_full_blocks]
        keys = [make_block_hash_with_group_id(h, GROUP) for h in hashes]
        parent = self.table.slot(keys[0]) if num_cached_blocks and keys else 0
        keys = keys[1:] if num_cached_blocks else keys
        fresh = [key for key in keys if key not in self._pending]
        if fresh:
            self.table.slots(keys, parent)
            slots = self.table.known(fresh)
            self.table.grow(slots)
            self.table.pin(slots)
            self._pending.update(fresh)
        super().cache_full_blocks(request, blocks, num_cached_blocks, num_full_blocks, *args, **kwargs)
        if absent := [key for key in keys if key in self._pending]:
            self._abandon(absent)

    def reset_prefix_cache(self) -> bool:
        """Forget everything if vLLM does; draws begin again from the seed."""
        done = bool(super().reset_prefix_cache())
        if done:
            self.table.clear()
            self._holder.clear()
            self._more.clear()
            self._spares.clear()
            self.evictions = self.unplanned = 0
        return done

    def status(self) -> dict[str, Any]:
        """What the policy has done and holds: plain numbers."""
        return {
            "policy": self.table.policy.name,
            "seed": self.table.seed,
            "capacity": self.table.capacity,
            "nodes": len(self.table),
            "spares": len(self._spares),
            "evictions": self.evictions,
            "unplanned": self.unplanned,
            **self.table.counters,
        }

    def check(self) -> None:
        """Hold the table to the pool.

        Raises:
            AssertionError: if they disagree anywhere.
        """
        held: dict[bytes, list[Any]] = {}
        for block in self.blocks:
            if block.block_hash is not None:
                held.setdefault(block.block_hash, []).append(block)
        assert {k: {b.block_id for b in self._blocks_of(k)} for k in self._holder} == {
            k: {b.block_id for b in v} for k, v in held.items()
        }, "holders"
        free = {b.block_id for b in self.free_block_queue.get_all_free_blocks()}
        idle = {b.block_id for b in self.blocks if b.ref_cnt == 0 and not b.is_null}
        assert free == idle, "the free queue is not the blocks that nobody uses"
        assert len(free) == self.get_num_free_blocks(), "num_free_blocks"
        assert not self._pending
        for key, blocks in held.items():
            assert key in self.table, "a hashed block without a node"
            used = sum(b.ref_cnt > 0 for b in blocks)
            assert self.table.pins(key) == used, "pins"
        assert len(self.table) == len(held), "a node without a block"

    def _insert_block_hash(
        self, block_hash_with_group_id: Any, block: Any, *args: Any, **kwargs: Any
    ) -> None:
        before = block.block_hash
        super()._insert_block_hash(block_hash_with_group_id, block, *args, **kwargs)
        if before is None and block.block_hash is not None:
            self._attach(block.block_hash, block)

    def _remove_cached_block_hashes(self, block: Any) -> list[Any]:
        key = block.block_hash
        removed: list[Any] = super()._remove_cached_block_hashes(block)
        if key is not None:
            self._detach(key, block)
        return removed

    def _serve(self, hits: Sequence[Any], free: Sequence[Any]) -> None:
        """Tell the table of the request that was announced, or of hits that came without one."""
        arriving, self._arriving = self._arriving, None
        if arriving is None:
            keys = [b.block_hash for b in hits if b.block_hash is not None and not b.is_null]
            if keys:
                self.table.serve(
                    self.table.known(keys), self.table.known([b.block_hash for b in free]), len(keys)
                )
            return
        request, upto = arriving
        upto = max(upto, len(hits))
        ahead = max(upto, self.table.capacity) if self._looks_ahead else upto
        keys = [make_block_hash_with_group_id(h, GROUP) for h in request.block_hashes[:ahead]]
        path = self.table.slots(keys)
        pinned = np.concatenate([self.table.known([b.block_hash for b in free]), path[len(hits) : upto]])
        self._pending = set(keys[len(hits) : upto])
        about = said_by(request) if self._listens else None
        self.table.serve(path, pinned, min(upto, len(keys)), about)

    def _make_room(self, count: int) -> None:
        """Put `count` blocks that hold nothing at the head of the free queue, evicting what that takes."""
        queue = self.free_block_queue
        empty, block = 0, queue.fake_free_list_head.next_free_block
        while empty < count and block is not queue.fake_free_list_tail and block.block_hash is None:
            empty, block = empty + 1, block.next_free_block
        if empty == count:
            return
        self._allocating = True
        chosen = self._take_spares(count - empty)
        self._allocating = False
        give_up = self._holder.pop  # it has no second block: spares have gone before
        victims = [give_up(key) for key in self.table.evict(count - empty - len(chosen))]
        self._unhash(victims)
        chosen += victims
        remove = queue.remove
        for block in chosen:
            remove(block)
        self.evictions += len(chosen)
        self.unplanned += max(0, count - empty - len(chosen))
        head = queue.popleft_n(empty)
        queue.prepend_n(chosen)
        queue.prepend_n(head)

    def _unhash(self, victims: list[Any]) -> None:
        """Let vLLM forget victims that the table has given up; without listeners, by its shorter way."""
        listened = self.metrics_collector or self.enable_kv_cache_events
        forget = self._maybe_evict_cached_block if listened else super()._remove_cached_block_hashes
        for block in victims:
            forget(block)

    def _take_spares(self, count: int) -> list[Any]:
        """Unhash copies that no hit will miss."""
        taken: list[Any] = []
        while self._spares and len(taken) < count:
            taken.append(self._spares[next(iter(self._spares))])
            self._maybe_evict_cached_block(taken[-1])
        return taken

    def _attach(self, key: bytes, block: Any) -> None:
        if key in self._pending:
            self._pending.discard(key)
        else:  # hashed by another way than `cache_full_blocks`
            slots = self.table.slots([key])
            self.table.grow(slots)
            self.table.pin(slots)
            if block.ref_cnt == 0:
                self.table.release(slots)
        if self._holder.setdefault(key, block) is not block:
            self._more.setdefault(key, []).append(block)
            self._count_spares(key)

    def _detach(self, key: bytes, block: Any) -> None:
        first = self._holder.get(key)
        if first is None:  # a victim: the table chose it
            return
        self._spares.pop(block.block_id, None)
        if more := self._more.get(key):
            if first is block:
                self._holder[key] = more.pop()
            else:
                more.remove(block)
            if block.ref_cnt:
                self.table.release(self.table.known([key]))
            self._count_spares(key)
        else:
            del self._holder[key]
            self.table.drop(key)
        if not self._allocating and block.ref_cnt == 0 and block.next_free_block is not None:
            self.free_block_queue.remove(block)
            self.free_block_queue.prepend_n([block])

    def _count_spares(self, key: bytes) -> None:
        """All free copies of a node but one that must stay: none if one is in use."""
        holders = self._blocks_of(key)
        free = [b for b in holders if b.ref_cnt == 0]
        for block in holders:
            self._spares.pop(block.block_id, None)
        for block in free if len(free) < len(holders) else free[1:]:
            self._spares[block.block_id] = block
        if len(holders) == 1:
            self._more.pop(key, None)

    def _blocks_of(self, key: bytes) -> list[Any]:
        return [self._holder[key], *self._more.get(key, ())]

    def _abandon(self, keys: list[bytes]) -> None:
        self._pending.difference_update(keys)
        self.table.release(self.table.known(keys))
        for key in keys:
            if key not in self._holder:
                self.table.drop(key)


class LiveManager(KVCacheManager):
    """A cache manager that tells the pool which request it allocates for."""

    def allocate_slots(
        self,
        request: Any,
        num_new_tokens: int,
        num_new_computed_tokens: int = 0,
        new_computed_blocks: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Allocate as vLLM does; a request that begins, or begins again, is announced to the pool first."""
        pool = self.block_pool
        if new_computed_blocks is not None and self.enable_caching:
            tokens = request.num_computed_tokens + num_new_computed_tokens + num_new_tokens
            pool.announce(request, min(tokens, request.num_tokens) // pool.hash_block_size)
        try:
            return super().allocate_slots(
                request, num_new_tokens, num_new_computed_tokens, new_computed_blocks, *args, **kwargs
            )
        finally:
            pool.settle()
