"""What there is to choose from: policies and workloads."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from kvtheory.policy import Policy, Trait
from kvtheory.sources import Generator, parameters


def knowledge(policy: type[Policy]) -> str:
    """What is known of a policy's competitive ratio."""
    if policy.unbounded:
        return "unbounded"
    known = [
        f"{'=' if claim.tight else '<='} {claim.formula}"
        + ("" if claim.status.name == "PROVED" else f" ({claim.status.value})")
        for claim in policy.claims
    ]
    return "; ".join(known) or "-"


def traits(policy: type[Policy]) -> str:
    """Declared traits, in lower case."""
    return " ".join(sorted((trait.name or "").lower() for trait in Trait if trait in policy.traits)) or "-"


def print_policies(policies: Mapping[str, type[Policy]], screen: Console) -> None:
    """One line per policy."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("policy", "draws", "traits", "competitive ratio", "what it evicts"):
        table.add_column(column)
    for name, policy in sorted(policies.items()):
        draws = "yes" if policy.randomised() else "no"
        table.add_row(name, draws, traits(policy), knowledge(policy), policy.summary())
    screen.print(table)


def print_workloads(workloads: Mapping[str, Generator], screen: Console) -> None:
    """One line per workload, then its parameters with their defaults."""
    for name, generator in sorted(workloads.items()):
        summary = (inspect.getdoc(generator) or "").partition("\n")[0].split(" [")[0]
        screen.print(f"[bold]{name}[/bold]  {summary}")
        for parameter in parameters(generator):
            kind = getattr(parameter.kind, "__args__", None)
            shown = "|".join(kind) if kind else parameter.kind.__name__
            screen.print(f"    {parameter.name}={parameter.default}  ({shown})", markup=False)
