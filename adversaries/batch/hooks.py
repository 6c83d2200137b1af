"""A policy's own hooks, run once for all lanes: nothing of a policy is written twice.

A hook is Python source over integers. Here it is called with `s.column[v]` standing for a tensor, one integer
for each *place* (a lane and a node). Where it branches (`if`, `min`, `and`, ...) and places disagree, it is
run again for those that go the other way: :class:`_Run` follows a script of answers. What runs write is held
back until all have ended; then each place gets what the run that went its way has written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from kvtheory.errors import PolicyError

LONGEST_SCRIPT = 4096


class Value:
    """An integer at every place, with the arithmetic of Python's."""

    __slots__ = ("number", "run")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, number: Tensor, run: _Run) -> None:
        self.number, self.run = number, run

    def _of(self, number: Tensor) -> Value:
        return Value(number.to(torch.int64), self.run)

    def __bool__(self) -> bool:
        return self.run.branch(self.number != 0)

    def __neg__(self) -> Value:
        return self._of(-self.number)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return self._of(self.number.abs())

    def __invert__(self) -> Value:
        return self._of(~self.number)


def _divisor(left: Value, right: Tensor | int) -> Tensor:
    """The right operand of a division, 1 where nobody divides."""
    right = torch.as_tensor(right, device=left.number.device).expand_as(left.number)
    zero = right == 0
    if bool((zero & left.run.mask).any()):
        raise ZeroDivisionError("integer division or modulo by zero")
    return right.masked_fill(zero, 1)


OPERATORS: dict[str, Callable[[Any, Any], Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "lshift": lambda a, b: a << b,
    "rshift": lambda a, b: a >> b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "floordiv": torch.floor_divide,
    "mod": torch.remainder,
}


def _operator(name: str, operate: Callable[[Any, Any], Tensor], mirrored: bool) -> Callable[..., Any]:
    def method(self: Value, other: Any) -> Any:
        if not isinstance(other, Value | int):
            return NotImplemented
        number: Any = other.number if isinstance(other, Value) else int(other)
        here: Any = self.number
        if mirrored:
            here, number = torch.as_tensor(number, device=here.device).expand_as(here), here
        if name in ("floordiv", "mod"):
            number = _divisor(Value(here, self.run), number)
        return self._of(operate(here, number))

    return method


for _name, _operate in OPERATORS.items():
    setattr(Value, f"__{_name}__", _operator(_name, _operate, False))
    if _name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Value, f"__r{_name}__", _operator(_name, _operate, True))


class _Column:
    """What `s.name` is inside a hook."""

    def __init__(self, run: _Run, name: str) -> None:
        self.run, self.name = run, name

    def __getitem__(self, key: Any) -> Value:
        return Value(self.run.read(self.name, key), self.run)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.run.write(self.name, key, value)


class _State:
    """What `s` is inside a hook."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> _Column:
        return _Column(self._run, name)


class Places:
    """Where hooks are evaluated, and the columns there.

    Args:
        columns: int64, shape (L, n+1), by name; `marked` too where the policy may read it.
        lanes: shape (B,): which lanes.
        nodes: shape (B, m): a node of each; None for every node 0..n.
    """

    def __init__(self, columns: dict[str, Tensor], lanes: Tensor, nodes: Tensor | None) -> None:
        self.columns, self.lanes, self.nodes = columns, lanes, nodes

    def read(self, name: str, node: int | None) -> Tensor:
        """A column at the places, or at one node, shape (B, m) or (B, 1)."""
        column = self.columns[name]
        if node is not None:
            return column[self.lanes, node][:, None]
        if self.nodes is None:
            return column[self.lanes]
        return column[self.lanes[:, None], self.nodes]

    def write(self, name: str, node: int | None, value: Tensor, mask: Tensor) -> None:
        """Set a column at the places that the mask, shape (B, 1), names."""
        nodes = self.nodes if node is None else torch.full_like(self.lanes, node)[:, None]
        assert nodes is not None
        lanes, kept = self.lanes[mask[:, 0]], nodes[mask[:, 0], 0]
        self.columns[name][lanes, kept] = value.expand_as(mask)[mask[:, 0], 0]


class _Run:
    """One run of a hook, for the places that answer its branches as the script does."""

    def __init__(self, policy: str, places: Places, mask: Tensor, script: list[bool]) -> None:
        self.policy, self.places, self.mask, self.script = policy, places, mask, script
        self.taken: list[bool] = []
        self.node = object()
        self.written: dict[tuple[str, int | None], Tensor] = {}

    def branch(self, condition: Tensor) -> bool:
        """What the script says; where all places agree, what they say."""
        yes, no = self.mask & condition, self.mask & ~condition
        if not bool(no.any()):
            return True
        if not bool(yes.any()):
            return False
        at = len(self.taken)
        if at >= LONGEST_SCRIPT:
            raise PolicyError(f"{self.policy}: a hook branches more than {LONGEST_SCRIPT} times")
        answer = self.script[at] if at < len(self.script) else True
        self.taken.append(answer)
        self.mask = yes if answer else no
        return answer

    def _key(self, name: str, key: Any) -> tuple[str, int | None]:
        if name not in self.places.columns:
            raise PolicyError(f"{self.policy}: reads '{name}' without declaring it")
        if key is self.node:
            return name, None
        if isinstance(key, int) and key == 0:
            return name, 0
        raise PolicyError(f"{self.policy}: a hook indexes '{name}' by something else than its node or 0")

    def read(self, name: str, key: Any) -> Tensor:
        place = self._key(name, key)
        if place not in self.written:
            return self.places.read(*place)
        return self.written[place]

    def write(self, name: str, key: Any, value: Any) -> None:
        self.written[self._key(name, key)] = self.numbers(value)

    def numbers(self, value: Any) -> Tensor:
        """A hook's integer as a tensor of the places' shape."""
        if isinstance(value, Value):
            return value.number.expand_as(self.mask)
        if isinstance(value, int):
            return torch.full(self.mask.shape, int(value), dtype=torch.int64, device=self.mask.device)
        raise PolicyError(f"{self.policy}: a hook made a {type(value).__name__}, not an integer")

    def commit(self) -> None:
        for (name, node), value in self.written.items():
            self.places.write(name, node, value, self.mask)


def _runs(
    policy: str, places: Places, mask: Tensor, call: Callable[[_State, Any], Any]
) -> Iterator[tuple[_Run, Any]]:
    """Every run of a hook that is needed for all places of the mask, with what it returned."""
    script: list[bool] | None = []
    while script is not None:
        run = _Run(policy, places, mask, script)
        try:
            value = call(_State(run), run.node)
        except TypeError as error:
            raise PolicyError(f"{policy}: a hook does what cannot be done for many lanes: {error}") from error
        yield run, value
        script = run.taken
        while script and not script[-1]:
            script.pop()
        if script:
            script[-1] = False
        else:
            script = None


def mutate(policy: str, hook: Any, places: Places, mask: Tensor, time: int) -> None:
    """Call `on_access`, `on_insert` or `on_evict` for one node of each lane.

    Args:
        policy: the policy's name, for errors.
        hook: the static method.
        places: one node per lane; its columns change.
        mask: bool, shape (B, 1): the lanes that call it.
        time: the request's index.

    Raises:
        PolicyError: if the hook does what the batch engine cannot follow.
    """
    finished = list(_runs(policy, places, mask, lambda s, v: hook(s, v, time)))
    for run, _ in finished:  # only now: every run must read what was there before all of them
        run.commit()


def evaluate(policy: str, hook: Any, places: Places, mask: Tensor) -> list[Tensor]:
    """`rank` or `weight` at the places: int64 tensors of the mask's shape, one per entry of the tuple.

    What is outside the mask, bool, shape (B, m), means nothing. Arguments and errors as :func:`mutate`.
    """
    results: list[Tensor] = []
    for run, value in _runs(policy, places, mask, hook):
        parts = [run.numbers(part) for part in (value if isinstance(value, tuple) else (value,))]
        if run.written:
            raise PolicyError(f"{policy}: its rank or weight writes")
        if not results:
            results = parts
            continue
        if len(parts) != len(results):
            raise PolicyError(f"{policy}: its ranks are tuples of different lengths")
        results = [torch.where(run.mask, part, old) for part, old in zip(parts, results, strict=True)]
    return results
