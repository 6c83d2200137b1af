"""Names of policies: found by looking, unique, answered with the nearest when mistaken."""

from __future__ import annotations

import pkgutil
from typing import Any

import pytest

import kvtheory.policies
from kvtheory import registry
from kvtheory.errors import InputError, PolicyError
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import INTEGER, Policy, Trait


class Impostor(Policy):
    """Another policy of the same name."""

    name = "lru"

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return 0


def test_every_file_is_a_policy_under_its_own_name() -> None:
    files = {info.name for info in pkgutil.iter_modules(kvtheory.policies.__path__)}
    assert files <= set(registry.every_policy())
    assert all(name == policy.name for name, policy in registry.every_policy().items())


def test_two_policies_of_one_name_are_an_error() -> None:
    with pytest.raises(InputError, match="two policies are named 'lru'") as caught:
        registry.unique([("lru", LeafLRU), ("lru", Impostor)], "policies")
    assert "kvtheory.policies.lru" in str(caught.value)
    assert registry.unique([("lru", LeafLRU), ("lru", LeafLRU)], "policies") == {"lru": LeafLRU}


class Point:
    """An entry point."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value

    def load(self) -> Any:
        return self.value


def test_plugins_join_and_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Point("x", 1), Point("y", 2)]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)
    assert registry.plugins("kvtheory.testing_group") == {"x": 1, "y": 2}
    found.append(Point("x", 3))
    with pytest.raises(InputError, match=r"two entry points of kvtheory\.other_group are named 'x'"):
        registry.plugins("kvtheory.other_group")


def test_a_plugin_policy_may_not_take_a_known_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("lru", Impostor)])
    with pytest.raises(InputError, match="named 'lru'"):
        registry.every_policy.__wrapped__()


def test_a_plugin_that_does_not_load_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ImportError("no module named 'y'")

    broken = Point("x", None)
    monkeypatch.setattr(broken, "load", load, raising=False)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(
        InputError, match=r"'x' of kvtheory\.policies cannot be loaded: ImportError: no module"
    ):
        registry.every_policy.__wrapped__()


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no policy is named 'lfru'; did you mean '(lfu|lru)'"):
        registry.select_policies("lfru")
    with pytest.raises(InputError, match=r"no policy is named 'zzzz'; known: .*fifo.*lru"):
        registry.select_policies("zzzz")


def test_selecting_keeps_the_order_and_all_is_all() -> None:
    assert [policy.name for policy in registry.select_policies("rlt, lru")] == ["rlt", "lru"]
    assert [policy.name for policy in registry.select_policies(" all ")] == sorted(registry.every_policy())


@pytest.mark.parametrize("names", ["", "lru,", "lru,,rlt"])
def test_an_empty_name_is_refused(names: str) -> None:
    with pytest.raises(InputError):
        registry.select_policies(names)


def test_a_repeated_name_is_refused() -> None:
    with pytest.raises(InputError, match="'lru' is named twice"):
        registry.select_policies("lru,rlt,lru")


def _zero(s: Any, v: int) -> int:
    return 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "x"}, "exactly one of rank and weight"),
        ({"name": "x", "rank": _zero, "weight": _zero}, "exactly one of rank and weight"),
        ({"rank": _zero}, "needs a name"),
        ({"name": "x", "rank": _zero, "columns": {"marked": INTEGER}}, "belongs to the engine"),
        ({"name": "x", "rank": _zero, "traits": Trait.BINARY}, "BINARY speaks of weights"),
    ],
)
def test_an_impossible_policy_cannot_be_written(body: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        type("Impossible", (Policy,), body)
