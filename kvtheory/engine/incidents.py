"""What goes wrong in a cluster: workers die and return empty, workers are slow, clocks jump."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf
from operator import add

from kvtheory.errors import InputError

FORM = re.compile(
    r"(?:(?P<kind>down|slow):(?P<worker>\d+)@(?P<start>[0-9.e+]+)-(?P<end>[0-9.e+]+)(?:x(?P<factor>[0-9.e+]+))?"
    r"|clock@(?P<at>[0-9.e+]+)(?P<jump>[+-][0-9.e+]+))"
)


@dataclass(frozen=True)
class Incidents:
    """A script of what goes wrong; times in units of time.

    Attributes:
        down: (worker, start, end): it loses its requests and its cache, and is back, empty, at the end.
        slow: (worker, start, end, factor): its work takes `factor` times as long.
        clock: (time, jump): the router's clock jumps by that much, forwards or back.
    """

    down: tuple[tuple[int, float, float], ...] = ()
    slow: tuple[tuple[int, float, float, float], ...] = ()
    clock: tuple[tuple[float, float], ...] = ()

    def require(self, workers: int) -> None:
        """Raise InputError unless the script fits a cluster."""
        for worker, start, end, *rest in (*self.down, *self.slow):
            factor = rest[0] if rest else 1.0
            if not 0 <= worker < workers:
                raise InputError(f"there is no worker {worker} among {workers}", field="incidents")
            if not (0 <= start < end < inf and 0 < factor < inf):
                raise InputError("a time or factor is out of range", field="incidents")
        for name, windows in (("down", self.down), ("slow", self.slow)):
            for worker in {w[0] for w in windows}:
                mine = sorted(w[1:3] for w in windows if w[0] == worker)
                if any(b[0] < a[1] for a, b in pairwise(mine)):
                    raise InputError(f"worker {worker} is {name} twice at once", field="incidents")

    def scaled(self, factor: int) -> Incidents:
        """The same where time is counted in `factor`-ths."""
        return Incidents(
            tuple((w, a * factor, b * factor) for w, a, b in self.down),
            tuple((w, a * factor, b * factor, slower) for w, a, b, slower in self.slow),
            tuple((at * factor, jump * factor) for at, jump in self.clock),
        )

    def clock_at(self, time: float) -> float:
        """What the router's clock shows."""
        return time + reduce(add, (jump for at, jump in self.clock if at <= time), 0)

    def pace(self, worker: int) -> Pace | None:
        """How fast a worker is; None where always at full speed."""
        mine = sorted((start, end, factor) for w, start, end, factor in self.slow if w == worker)
        return Pace(mine) if mine else None


NOTHING = Incidents()


class Pace:
    """Turns work into time for a worker that is slow at times.

    Args:
        windows: (start, end, factor), in order, disjoint.
    """

    def __init__(self, windows: list[tuple[float, float, float]]) -> None:
        self.edges: list[float] = []
        self.factors: list[float] = [1.0]
        for start, end, factor in windows:
            if self.edges and self.edges[-1] == start:
                self.factors[-1] = factor
            else:
                self.edges.append(start)
                self.factors.append(factor)
            self.edges.append(end)
            self.factors.append(1.0)

    def finish(self, start: float, work: float) -> float:
        """When `work` that begins at `start` is done."""
        at = bisect_right(self.edges, start)
        now = start
        while at < len(self.edges):
            possible = (self.edges[at] - now) / self.factors[at]
            if work <= possible:
                break
            work -= possible
            now = self.edges[at]
            at += 1
        return now + work * self.factors[at]


def parse_incidents(text: str) -> Incidents:
    """Read `down:1@100-200,slow:2@50-300x2,clock@120+60`: worker 1 is down from 100 to 200, and so on.

    Raises:
        InputError: naming the part that is no incident.
    """
    down, slow, clock = [], [], []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = FORM.fullmatch(part)
        if not found or (found["kind"] == "slow") != (found["factor"] is not None):
            raise InputError(
                f"'{part}' is not down:WORKER@FROM-TO, slow:WORKER@FROM-TOxFACTOR or clock@AT+JUMP",
                field="incidents",
            )
        try:
            if found["kind"] is None:
                clock.append((float(found["at"]), float(found["jump"])))
                continue
            worker, start, end = int(found["worker"]), float(found["start"]), float(found["end"])
            if found["kind"] == "down":
                down.append((worker, start, end))
            else:
                slow.append((worker, start, end, float(found["factor"])))
        except ValueError:
            raise InputError(f"'{part}' holds no number", field="incidents") from None
    return Incidents(tuple(down), tuple(slow), tuple(clock))
