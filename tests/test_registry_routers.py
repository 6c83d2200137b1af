"""Names and options of routers, as the command line reads them."""

from __future__ import annotations

import pkgutil
from typing import Any, Literal

import numpy as np
import pytest

import kvtheory.routers
from kvtheory import registry
from kvtheory.cli import run
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree
from kvtheory.router import Arrival, Router, View
from kvtheory.routers.lbgr import LBGR
from kvtheory.specs import Parameter


class Optioned(Router):
    """A router with an option of each type."""

    name = "optioned"

    def __init__(
        self,
        view: View,
        *,
        flag: bool = True,
        count: int = 3,
        rate: float = 0.5,
        word: str = "x",
        choice: Literal["left", "right"] = "left",
    ) -> None:
        super().__init__(view)
        self.found = (flag, count, rate, word, choice)

    def choose(self, arrival: Arrival) -> int:
        return 0


class Impostor(Router):
    """Another router of the same name."""

    name = "lbgr"


@pytest.fixture
def optioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "routers", lambda: {"optioned": Optioned, "lbgr": LBGR})


def view() -> View:
    return View(PrefixTree.from_parents([0]), 2, 1, np.array([0, 1]))


def test_every_file_is_a_router_under_its_own_name() -> None:
    files = {info.name for info in pkgutil.iter_modules(kvtheory.routers.__path__)}
    assert files == {
        name for name, item in registry.routers().items() if item.__module__ == f"kvtheory.routers.{name}"
    }
    assert all(name == router.name for name, router in registry.routers().items())


def test_two_routers_of_one_name_are_an_error() -> None:
    with pytest.raises(InputError, match=r"two routers are named 'lbgr': kvtheory\.routers\.lbgr and"):
        registry.unique([("lbgr", LBGR), ("lbgr", Impostor)], "routers")


class Point:
    """An entry point."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value

    def load(self) -> Any:
        return self.value


def test_plugins_join_and_what_is_no_router_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Point("optioned", Optioned)]
    monkeypatch.setattr(registry, "entry_points", lambda group: found if group == "kvtheory.routers" else [])
    assert registry.routers.__wrapped__()["optioned"] is Optioned
    found[0] = Point("lbgr", Impostor)
    with pytest.raises(InputError, match="two routers are named 'lbgr'"):
        registry.routers.__wrapped__()
    found[0] = Point("x", dict)
    with pytest.raises(InputError, match=r"entry point 'x' of kvtheory\.routers is not a Router"):
        registry.routers.__wrapped__()


@pytest.mark.parametrize(
    ("spec", "label", "found"),
    [
        ("optioned", "optioned", (True, 3, 0.5, "x", "left")),
        ("optioned:flag=off", "optioned:flag=off", (False, 3, 0.5, "x", "left")),
        (" optioned : flag=true : count=07", "optioned:flag=on:count=7", (True, 7, 0.5, "x", "left")),
        (
            "optioned:choice=right:rate=1e2",
            "optioned:rate=100.0:choice=right",
            (True, 3, 100.0, "x", "right"),
        ),
        ("optioned:word=", "optioned:word=", (True, 3, 0.5, "", "left")),
    ],
)
def test_options_are_what_the_signature_declares(optioned: None, spec: str, label: str, found: Any) -> None:
    said, make, router = registry.parse_router(spec)
    made = make(view())
    assert (said, router, type(made)) == (label, Optioned, Optioned)
    assert isinstance(made, Optioned)
    assert made.found == found


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no router is named ''"),
        ("optoned", "did you mean 'optioned'"),
        ("optioned:flg=on", "no option of optioned is named 'flg'; did you mean 'flag'"),
        ("optioned:flag", "'flag' is not option=value"),
        ("optioned:", "'' is not option=value"),
        ("optioned:flag=yes", "field 'flag': 'yes' is not on or off"),
        ("optioned:count=1.5", "field 'count': '1.5' is not an integer"),
        ("optioned:rate=fast", "field 'rate': 'fast' is not a number"),
        ("optioned:rate=nan", "field 'rate': 'nan' is not a finite number"),
        ("optioned:rate=inf", "field 'rate': 'inf' is not a finite number"),
        ("optioned:choice=up", "'up' is not one of left, right"),
        ("optioned:flag=on:flag=off", "field 'flag': given twice"),
        ("lbgr:view=3", "no option of lbgr is named 'view'"),
        ("lbgr:self=3", "no option of lbgr is named 'self'"),
    ],
)
def test_a_mistaken_spec_is_one_clear_line(optioned: None, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        registry.parse_router(spec)


def test_selecting_keeps_the_order_and_all_is_all() -> None:
    chosen = registry.select_routers("lbgr, lbgr:load=off:residual=off ,round_robin")
    assert [label for label, _, _ in chosen] == ["lbgr", "lbgr:load=off:residual=off", "round_robin"]
    assert [router for _, _, router in chosen][:2] == [LBGR, LBGR]
    assert [label for label, _, _ in registry.select_routers(" all ")] == sorted(registry.routers())


@pytest.mark.parametrize("specs", ["lbgr,lbgr", "lbgr:load=off,lbgr: load=false"])
def test_a_repeated_router_is_refused(specs: str) -> None:
    with pytest.raises(InputError, match="is named twice"):
        registry.select_routers(specs)


def test_options_are_shown_with_what_they_may_be() -> None:
    options = registry.router_options(Optioned)
    assert [option.name for option in options] == ["flag", "count", "rate", "word", "choice"]
    assert [option.shown for option in options] == ["on|off", "int", "float", "str", "left|right"]
    assert options[1] == Parameter("count", int, 3)


def test_the_command_lists_every_router(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["routers"]) == 0
    said = capsys.readouterr().out
    assert said.split()[:4] == ["router", "sees", "draws", "options"]
    for name, router in registry.routers().items():
        line = next(line for line in said.splitlines() if line.split()[:1] == [name])
        assert line.split()[1:3] == [
            "omniscient" if router.omniscient else "blind",
            "yes" if router.draws else "no",
        ]
