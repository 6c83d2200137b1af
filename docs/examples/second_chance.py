"""A policy with memory: a node that was evicted not long ago and returns is kept longer."""

from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class SecondChance(ObjectPolicy):
    """Least recently used leaf among nodes that did not return; among those that did where there is none."""

    name = "second_chance"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.new: LeafQueue[Key] = LeafQueue()
        self.returned: LeafQueue[Key] = LeafQueue()
        self.ghosts: OrderedDict[Key, None] = OrderedDict()

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in cached:
            (self.new if v in self.new else self.returned).push(v)

    def on_insert(self, v: Key) -> None:
        (self.returned if v in self.ghosts else self.new).push(v)

    def on_leaf(self, v: Key) -> None:
        self.new.offer(v)
        self.returned.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        found = self.new.first(leaves)
        return self.returned.first(leaves) if found is None else found

    def on_evict(self, v: Key) -> None:
        self.new.discard(v)
        self.returned.discard(v)
        self.ghosts[v] = None
        self.ghosts.move_to_end(v)
        if len(self.ghosts) > self.capacity:
            self.ghosts.popitem(last=False)


if __name__ == "__main__":
    from kvtheory.policies.arc import ARC
    from kvtheory.policies.lru import LeafLRU
    from kvtheory.ratio.empirical import measure_ratios
    from kvtheory.sources import generate
    from kvtheory.testing.contract import run_contract

    trace = generate("zipf:documents=400,blocks=8,shared=2,requests=5000")
    for run in measure_ratios(trace, [320, 960], [LeafLRU, ARC, SecondChance]).runs:
        for result in run.policies:
            print(f"k={run.capacity}: {result.name} misses {result.misses:,}, ratio {result.ratio:.4f}")
    print("passed:", *run_contract(SecondChance, examples=5))
