"""`kvtheory search`, an entry point of `kvtheory.commands`: read, check, run and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kvtheory.command import JsonOption, Spinner, check_outputs, print_pairs, write_json
from kvtheory.errors import InputError
from kvtheory.schemas import versioned

Method = Literal["hill", "beam", "cem", "learned"]


def search(
    policy: Annotated[str, typer.Option(help="What is attacked.")],
    tree: Annotated[str, typer.Option(help="As for exact; any:6 for every tree of 6 nodes.")],
    capacity: Annotated[int, typer.Option(help="Nodes the cache holds.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Trace file (.gz, .zst: compressed).")],
    method: Annotated[Method, typer.Option(help="How to look.")] = "hill",
    length: Annotated[int, typer.Option(help="Requests of the file.")] = 1000,
    evaluations: Annotated[int | None, typer.Option(help="Files that may be scored.")] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    requestable: Annotated[
        str | None, typer.Option(help="Nodes that may be requested: 2,5, terminals, or all.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Look for the requests that cost a policy most against OPT, and write them as a trace."""
    from adversaries.search.run import EVALUATIONS
    from adversaries.search.run import search as run
    from adversaries.search.trees import ANY, search_trees
    from kvtheory.ratio.exact import parse_instance
    from kvtheory.registry import policy_with_columns

    chosen = policy_with_columns(policy)
    budget = EVALUATIONS if evaluations is None else evaluations
    nodes = _any(tree.removeprefix(ANY)) if tree.startswith(ANY) else None
    if nodes is not None and requestable not in (None, "all"):
        raise InputError("names nodes of one tree, and --tree stands for many", field="requestable")
    instance = None if nodes is not None else parse_instance(tree, capacity, requestable)
    check_outputs(None, output, json_file)
    if str(output) == json_file == "-":
        raise InputError("standard output is taken by --json", field="output")
    with Spinner() as say:
        say("searching")
        if instance is None:
            found = search_trees(
                nodes or 0, capacity, chosen, method,
                length=length, evaluations=budget, seed=seed, progress=say,
            )  # fmt: skip
        else:
            found = run(instance, chosen, method, length=length, evaluations=budget, seed=seed)
        found.write(output)
    if json_file:
        write_json(versioned("search", found.to_json()), json_file)
    if json_file != "-" and str(output) != "-":
        print_pairs(found.to_json())


def _any(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10:
        raise InputError(f"'{text}' is not a number of nodes from 1 to 10", field="tree")
    return int(text)
