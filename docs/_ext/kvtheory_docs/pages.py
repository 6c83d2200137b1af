"""The generated pages: policies, routers, workloads, and the figures."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from kvtheory.object_policy import AnyPolicy, ObjectPolicy, reads
from kvtheory.registry import every_policy, router_options, routers, written
from kvtheory.report.listing import knowledge, traits
from kvtheory.router import Router
from kvtheory.sources import workloads
from kvtheory.specs import parameters
from kvtheory_docs.rst import cell, heading, list_table, write_if_changed
from kvtheory_docs.running import execute


def generate(app: Sphinx) -> None:
    """Write docs/generated: a page per policy and router, their indexes, the workloads, and the figures."""
    folder = Path(app.srcdir) / "generated"
    known = dict(sorted(every_policy().items()))
    pages = {f"policies/{name}.rst": policy_page(name, policy, folder) for name, policy in known.items()}
    pages["policies.rst"] = policy_index(known)
    senders = dict(sorted(routers().items()))
    pages |= {f"routers/{name}.rst": router_page(name, router, folder) for name, router in senders.items()}
    pages["routers.rst"] = router_index(senders)
    pages["workloads.rst"] = workload_page()
    for name, text in pages.items():
        write_if_changed(folder / name, text)
    for kind in ("policies", "routers"):
        for file in (folder / kind).glob("*.rst"):
            if f"{kind}/{file.name}" not in pages:
                file.unlink()
    for script in sorted((Path(app.srcdir) / "figures").glob("*.py")):
        command = [sys.executable, str(script), str(folder / "figures")]
        code, _, errors = execute(command, Path(app.srcdir))
        if code:
            raise ExtensionError(f"{script.name} ended with {code}: {errors}")


def policy_index(known: dict[str, AnyPolicy]) -> str:
    """The table of policies and the toctree of their pages."""
    rows = [
        [
            f":doc:`{name} <policies/{name}>`",
            cell(policy.summary()),
            "yes" if policy.randomised() else "no",
            cell(traits(policy)),
            cell(knowledge(policy)),
        ]
        for name, policy in known.items()
    ]
    text = heading("Eviction policies")
    text += (
        "Written at build time from the registry: whatever `kvtheory policies` lists has a page here. "
        "`=` is a ratio that is attained on every tree, `<=` an upper bound; :math:`W` and :math:`w` are the "
        "widths of :doc:`/theory/width`.\n\n"
    )
    text += list_table(["name", "what it evicts", "draws", "traits", "competitive ratio"], rows)
    text += ".. toctree::\n   :hidden:\n\n" + "".join(f"   policies/{name}\n" for name in known)
    return text


def policy_page(name: str, policy: AnyPolicy, folder: Path) -> str:
    """One policy: docstring, what it declares, its source."""
    text = heading(name)
    text += f".. autoclass:: {policy.__module__}.{policy.__qualname__}\n"
    text += "   :no-members:\n   :class-doc-from: class\n\n"
    columns = ", ".join(f"`{key}` ({_column(value)})" for key, value in policy.columns.items()) or "none"
    by = "" if issubclass(policy, ObjectPolicy) else ", by `weight`" if policy.randomised() else ", by `rank`"
    cited = " ".join(f"[{key}]_" for key in policy.source.split()) or "none"
    text += list_table(
        ["declares", ""],
        [
            ["draws", ("yes" if policy.randomised() else "no") + by],
            ["columns", columns],
            ["traits", ":doc:`object </howto/policy-with-memory>`" if not by else cell(traits(policy))],
            ["reads", _reads(policy)],
            ["source", cited],
        ],
    )
    text += heading("Claims", "-")
    if policy.unbounded:
        text += "The competitive ratio is infinite on some tree.\n\n"
    elif policy.claims:
        rows = [
            [
                f"`{claim.formula}`",
                "attained on every tree" if claim.tight else "upper bound",
                claim.status.value,
            ]
            for claim in policy.claims
        ]
        text += list_table(["competitive ratio", "kind", "status"], rows)
    else:
        text += "None.\n\n"
    return text + source_section(policy, folder / "policies")


def _reads(policy: AnyPolicy) -> str:
    """What a policy wants to know of a request."""
    names = ", ".join(f"`{name}`" for name in reads(policy))
    return f":ref:`of a request <what-a-request-says>`: {names}" if names else "paths alone"


def source_section(item: type, folder: Path) -> str:
    """The file that holds a class, as a section of a page in `folder`."""
    source = inspect.getsourcefile(item)
    if not source:
        return ""
    path = Path(os.path.relpath(source, folder)).as_posix()
    return heading("Source", "-") + f".. literalinclude:: {path}\n   :language: python\n"


def router_index(known: dict[str, type[Router]]) -> str:
    """The table of routers and the toctree of their pages."""
    rows = [
        [
            f":doc:`{name} <routers/{name}>`",
            cell(router.summary()),
            "omniscient" if router.omniscient else "blind",
            "yes" if router.draws else "no",
        ]
        for name, router in known.items()
    ]
    text = heading("Routers")
    text += (
        "Written at build time from the registry: whatever `kvtheory routers` lists has a page here. A blind "
        "router sees prompts, its own dispatches, and completions with what the worker reports of them; an "
        "omniscient one "
        "reads the true caches and the true work. Every router is held to the contract of "
        ":mod:`kvtheory.testing.router_contract`.\n\n"
    )
    text += list_table(["name", "where it sends a request", "sees", "draws"], rows)
    text += ".. toctree::\n   :hidden:\n\n" + "".join(f"   routers/{name}\n" for name in known)
    return text


def router_page(name: str, router: type[Router], folder: Path) -> str:
    """One router: docstring, what it declares, its options, its source."""
    text = heading(name)
    text += f".. autoclass:: {router.__module__}.{router.__qualname__}\n"
    text += "   :no-members:\n   :class-doc-from: class\n\n"
    cited = " ".join(f"[{key}]_" for key in router.source.split()) or "none"
    text += list_table(
        ["declares", ""],
        [
            ["sees", "true caches and work" if router.omniscient else "its own dispatches and completions"],
            ["draws", "yes" if router.draws else "no"],
            ["first tokens", "watched" if router.watches_first_tokens else "not watched"],
            ["source", cited],
        ],
    )
    if options := router_options(router):
        text += heading("Options", "-")
        rows = [
            [f"`{option.name}`", cell(option.shown), f"`{written(option.default)}`"] for option in options
        ]
        text += list_table(["option", "type", "default"], rows)
    return text + source_section(router, folder / "routers")


def _column(column: Any) -> str:
    said = [] if column.low is None else [f"from {column.low}"]
    said += [] if column.high is None else [f"to {column.high}"]
    said += ["only comparisons matter"] if column.order else []
    return " ".join(said) or "any integer"


def workload_page() -> str:
    """Every workload generator with its parameters."""
    text = heading("Workloads")
    text += (
        "Written at build time from the entry points of `kvtheory.workloads`. A spec is a name, or "
        "`name:key=value,key=value`; see :doc:`/howto/make-a-workload`.\n\n"
    )
    for name, generator in sorted(workloads().items()):
        text += heading(name, "-")
        said = inspect.getdoc(generator) or ""
        body, _, arguments = said.partition("\nArgs:")
        meaning = _arguments(arguments)
        text += body.strip() + "\n\n"
        rows = []
        for parameter in parameters(generator):
            rows.append(
                [
                    f"`{parameter.name}`",
                    cell(parameter.shown),
                    f"`{parameter.default}`",
                    meaning.get(parameter.name, ""),
                ]
            )
        text += list_table(["parameter", "type", "default", "meaning"], rows)
    return text


def _arguments(section: str) -> dict[str, str]:
    """The entries of a Google-style Args section, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        key, colon, rest = line.strip().partition(":")
        if colon and line.startswith("    ") and not line.startswith("     "):
            name = key
            found[name] = rest.strip()
        elif not line.strip() or not line.startswith("     "):
            name = ""
        elif name:
            found[name] += " " + line.strip()
    return found
