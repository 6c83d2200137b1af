"""What there is to choose from: policies, routers and workloads."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from kvtheory.object_policy import AnyPolicy, ObjectPolicy
from kvtheory.policy import Trait
from kvtheory.registry import router_options, written
from kvtheory.router import Router
from kvtheory.sources import Generator
from kvtheory.specs import parameters


def knowledge(policy: AnyPolicy) -> str:
    """What is known of a policy's competitive ratio."""
    if policy.unbounded:
        return "unbounded"
    known = [
        f"{'=' if claim.tight else '<='} {claim.formula}"
        + ("" if claim.status.name == "PROVED" else f" ({claim.status.value})")
        for claim in policy.claims
    ]
    return "; ".join(known) or "-"


def traits(policy: AnyPolicy) -> str:
    """Declared traits, in lower case; `object` for a policy with memory of its own."""
    if issubclass(policy, ObjectPolicy):
        return "object"
    return " ".join(sorted((trait.name or "").lower() for trait in Trait if trait in policy.traits)) or "-"


def print_policies(policies: Mapping[str, AnyPolicy], screen: Console) -> None:
    """One line per policy."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("policy", "draws", "traits", "competitive ratio", "what it evicts"):
        table.add_column(column)
    for name, policy in sorted(policies.items()):
        draws = "yes" if policy.randomised() else "no"
        table.add_row(name, draws, traits(policy), knowledge(policy), policy.summary())
    screen.print(table)


def options(router: type[Router]) -> str:
    """What can be set of a router, with defaults."""
    return " ".join(f"{option.name}={written(option.default)}" for option in router_options(router)) or "-"


def print_routers(routers: Mapping[str, type[Router]], screen: Console) -> None:
    """One line per router."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("router", "sees", "draws", "options", "what it does"):
        table.add_column(column)
    for name, router in sorted(routers.items()):
        sees = "omniscient" if router.omniscient else "blind"
        draws = "yes" if router.draws else "no"
        table.add_row(name, sees, draws, options(router), router.summary())
    screen.print(table, markup=False)


def print_workloads(workloads: Mapping[str, Generator], screen: Console) -> None:
    """One line per workload, then its parameters with their defaults."""
    for name, generator in sorted(workloads.items()):
        summary = (inspect.getdoc(generator) or "").partition("\n")[0].split(" [")[0]
        screen.print(f"[bold]{name}[/bold]  {summary}")
        for parameter in parameters(generator):
            screen.print(f"    {parameter.name}={parameter.default}  ({parameter.shown})", markup=False)
