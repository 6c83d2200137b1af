"""LBGR that knows what every worker caches."""

from __future__ import annotations

from kvtheory.model import IntArray
from kvtheory.router import Arrival
from kvtheory.routers.lbgr import LBGR


class OracleLBGR(LBGR):
    """LBGR whose cached units are the true ones: what a perfect index would bring. [Wu2026]_"""

    name = "lbgr_oracle"
    source = "Wu2026"
    omniscient = True

    def holdings(self, arrival: Arrival) -> IntArray:
        return self.view.true().match(arrival.node)
