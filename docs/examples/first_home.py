"""A router of one's own: what begins with the same block goes home together, unless home is too busy."""

from kvtheory.router import Arrival, Router, View


class FirstHome(Router):
    """Where the first block of the prompt was sent first; elsewhere if `slack` more requests wait there."""

    name = "first_home"

    def __init__(self, view: View, *, slack: int = 2) -> None:
        super().__init__(view)
        self.slack = slack
        self.home: dict[int, int] = {}

    def choose(self, arrival: Arrival) -> int:
        fewest = self.lowest(self.outstanding)
        home = self.home.get(self.first(arrival), fewest)
        behind = self.outstanding[home] - self.outstanding[fewest]
        return home if self.view.up[home] and behind <= self.slack else fewest

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        self.home.setdefault(self.first(arrival), worker)

    def first(self, arrival: Arrival) -> int:
        return next(iter(self.view.tree.path(arrival.node)), 0)


if __name__ == "__main__":
    from kvtheory.engine.cluster import simulate
    from kvtheory.policies.lru import LeafLRU
    from kvtheory.routers.round_robin import RoundRobin
    from kvtheory.sources import generate

    trace = generate("documents:visits=300")
    for router in (RoundRobin, FirstHome):
        run = simulate(trace, 4, 500, LeafLRU, router)
        print(f"{router.name}: hit rate {run.hit_rate:.3f}, makespan {run.makespan}")
