"""A predictor of one's own: jobs come back by a timetable, and everything else never does."""

from collections.abc import Sequence

from kvtheory.advice.advised import advised
from kvtheory.advice.predictor import NEVER, Predictor
from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.policies.lru import LeafLRU

JOBS = {1: 6, 2: 6, 3: 12}  # node: it is asked for every so many requests


class Timetable(Predictor):
    def __init__(self) -> None:
        self.now = -1

    def predict(self, path: Sequence[int]) -> list[int]:
        self.now += 1
        return [self.now + JOBS[v] if v in JOBS else NEVER for v in path]


due = {0: 1, 3: 2, 5: 3, 6: 1, 9: 2}
requests = [due.get(t % 12) or 4 + t for t in range(360)]
trace = Trace.from_parents([0] * max(requests), requests)
policies = [LeafLRU, BlindOracle, advised(BlindOracle, Timetable)]
for name, policy in zip(("lru", "blind_oracle, learning", "blind_oracle, told"), policies, strict=True):
    print(f"{name:24} {(replay(trace, 4, policy).hit == 0).sum():4} misses")
print(f"{'OPT':24} {(belady(trace, 4).hit == 0).sum():4} misses")
