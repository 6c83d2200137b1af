"""A policy of one's own: leaves that were requested only once go first, each kind least recent first."""

from kvtheory.policy import ORDER, Column, Policy, State, Trait

TWICE = 2


class SecondVisit(Policy):
    """Least recently used leaf among those requested once; among the others where there is none.

    A long scan of new prompts passes through without washing out what is asked for again and again.
    """

    name = "second_visit"
    columns = {"visits": Column(low=0, high=TWICE), "last_use": ORDER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.visits[v] = min(s.visits[v] + 1, TWICE)
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.visits[v], s.last_use[v])


if __name__ == "__main__":
    from kvtheory.policies.lru import LeafLRU
    from kvtheory.ratio.empirical import measure_ratios
    from kvtheory.sources import generate

    trace = generate("zipf:documents=400,blocks=8,shared=2,requests=5000")
    for run in measure_ratios(trace, [320, 960], [LeafLRU, SecondVisit]).runs:
        for result in run.policies:
            print(f"k={run.capacity}: {result.name} misses {result.misses:,}, ratio {result.ratio:.4f}")
