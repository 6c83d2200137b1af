"""Who is replayed: registered policies by name, and algorithms that `--emit-policy` wrote, by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtheory.errors import InputError
from kvtheory.object_policy import AnyPolicy
from kvtheory.registry import select_policies

if TYPE_CHECKING:
    from kvtheory.ratio.played import PlayedPolicy

SUFFIX = ".json"


def select_players(names: str) -> list[AnyPolicy | PlayedPolicy]:
    """The policies of a comma-separated list, in its order; a name that ends in `.json` is a file.

    Raises:
        InputError: for an unknown, empty or repeated name, or a file that is wrong.
    """
    parts = [part.strip() for part in names.split(",")]
    if not any(part.endswith(SUFFIX) for part in parts):
        return list(select_policies(names))
    if repeated := {part for part in parts if parts.count(part) > 1}:
        raise InputError(f"'{sorted(repeated)[0]}' is named twice", field="policies")
    from kvtheory.ratio.emitted import read_emitted
    from kvtheory.ratio.played import PlayedPolicy

    chosen: list[AnyPolicy | PlayedPolicy] = []
    for part in parts:
        chosen += [PlayedPolicy(part, read_emitted(part))] if part.endswith(SUFFIX) else select_policies(part)
    if len({player.name for player in chosen}) < len(chosen):
        raise InputError("a policy is named beside all", field="policies")
    return chosen
