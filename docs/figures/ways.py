"""Draws data's way from a trace line to what is proved of it and to a block that a live engine evicts.

python docs/figures/ways.py FOLDER

Boxes are modules and folders; a thin arrow goes from who imports to what is imported, and is left out where a
chain of others says the same. All of them are read from the sources. A step of a way must be an import, or an
entry point of `pyproject.toml`; else nothing is drawn.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

ROOT = Path(__file__).parents[2]
PACKAGES = ("kvtheory", "adversaries", "proofs_check", "gpu_validation")
READ, PROOF, LIVE, HOOKS = "C7", "C0", "C3", "C2"


class Box(NamedTuple):
    """Where it stands, and the modules in it: files, or all files of a folder."""

    x: float
    y: float
    modules: tuple[str, ...]


class Step(NamedTuple):
    """What passes from a box to the next; `group`: of the entry points that join them, if no import does."""

    start: str
    end: str
    what: str
    colour: str
    group: str = ""


class End(NamedTuple):
    """Where a way begins or ends: text at a place, and the box that it belongs to."""

    text: str
    x: float
    y: float
    box: str
    colour: str


BOXES = {
    "adversaries/": Box(0, 2.8, ("adversaries",)),
    "sources.py": Box(1.1, 2.8, ("kvtheory.sources",)),
    "traces/": Box(1.1, 2, ("kvtheory.traces",)),
    "model.py": Box(2.4, 2, ("kvtheory.model",)),
    "engine/reference.py": Box(2.4, 4, ("kvtheory.engine.reference",)),
    "engine/exact.py": Box(3.7, 4, ("kvtheory.engine.exact",)),
    "ratio/game.py": Box(5, 4, ("kvtheory.ratio.game", "kvtheory.ratio.automaton")),
    "ratio/certificate.py": Box(6.4, 4, ("kvtheory.ratio.certificate",)),
    "proofs_check/": Box(7.8, 4, ("proofs_check",)),
    "offline/belady.py": Box(3.7, 3, ("kvtheory.offline.belady",)),
    "offline/solve.py": Box(5, 3, ("kvtheory.offline.solve",)),
    "offline/witness_file.py": Box(6.4, 3, ("kvtheory.offline.witness_file",)),
    "verify.py": Box(7.8, 3, ("kvtheory.verify",)),
    "engine/kernel.py": Box(3.9, 2, ("kvtheory.engine.kernel",)),
    "ratio/empirical.py": Box(5.6, 2, ("kvtheory.ratio.empirical",)),
    "report/": Box(7.8, 2, ("kvtheory.report",)),
    "policies/": Box(0, 1.25, ("kvtheory.policies",)),
    "policy.py": Box(1.6, 1.25, ("kvtheory.policy",)),
    "engine/codegen.py": Box(5, 1.25, ("kvtheory.engine.codegen",)),
    "gpu_validation/": Box(2.4, 0, ("gpu_validation",)),
    "live/": Box(3.9, 0, ("kvtheory.live",)),
    "engine/node_table.py": Box(6.4, 0, ("kvtheory.engine.node_table",)),
}
WAYS = [
    Step("adversaries/", "sources.py", "a workload", READ, "kvtheory.workloads"),
    Step("traces/", "sources.py", "or a file", READ),
    Step("traces/", "model.py", "nodes", READ),
    Step("model.py", "engine/reference.py", "the tree", PROOF),
    Step("engine/reference.py", "engine/exact.py", "events", PROOF),
    Step("engine/exact.py", "ratio/game.py", "chances", PROOF),
    Step("ratio/game.py", "ratio/certificate.py", "the game", PROOF),
    Step("ratio/certificate.py", "proofs_check/", "JSON", PROOF, "kvtheory.verifiers"),
    Step("model.py", "offline/belady.py", "requests", PROOF),
    Step("offline/belady.py", "offline/solve.py", "victims", PROOF),
    Step("offline/solve.py", "offline/witness_file.py", "a schedule", PROOF),
    Step("offline/witness_file.py", "verify.py", "a witness", PROOF),
    Step("model.py", "engine/kernel.py", "requests", PROOF),
    Step("offline/belady.py", "ratio/empirical.py", "OPT", PROOF),
    Step("engine/kernel.py", "ratio/empirical.py", "hits", PROOF),
    Step("ratio/empirical.py", "report/", "ratios", PROOF),
    Step("policies/", "policy.py", "hooks", HOOKS),
    Step("policy.py", "engine/reference.py", "called", HOOKS),
    Step("policy.py", "engine/codegen.py", "their source", HOOKS),
    Step("engine/codegen.py", "engine/kernel.py", "compiled", HOOKS),
    Step("engine/codegen.py", "engine/node_table.py", "compiled", HOOKS),
    Step("model.py", "gpu_validation/", "prompts", LIVE),
    Step("gpu_validation/", "live/", "through vLLM", LIVE),
    Step("live/", "engine/node_table.py", "paths, pins", LIVE),
]
ENDS = [
    End("a trace line", 0, 2, "traces/", READ),
    End("a certificate holds", 8.8, 4, "proofs_check/", PROOF),
    End("a witness holds", 8.8, 3, "verify.py", PROOF),
    End("a table, a page", 8.8, 2, "report/", PROOF),
    End("a block is evicted", 7.8, 0, "engine/node_table.py", LIVE),
]


@cache
def imports() -> dict[str, set[str]]:
    """Every module of the four packages, and which of them it imports, wherever in it and for whatever."""
    files = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            files[name.removesuffix(".__init__")] = file
    trees = {module: ast.parse(file.read_text(encoding="utf-8")) for module, file in files.items()}
    return {module: named(tree, files.keys()) for module, tree in trees.items()}


def named(tree: ast.Module, known: Set[str]) -> set[str]:
    """The known modules that it imports: by `from a import b` it is `a.b`, or `a` where that is no module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(name if name in known else node.module for name in below)
    return found & known


def box_of(module: str) -> str | None:
    """The box that a module stands in."""
    for label, box in BOXES.items():
        if any(f"{module}.".startswith(f"{held}.") for held in box.modules):
            return label
    return None


def joined() -> nx.DiGraph:
    """The imports between boxes, importer first."""
    if gone := {held for box in BOXES.values() for held in box.modules} - imports().keys():
        sys.exit(f"no such module: {', '.join(sorted(gone))}")
    graph = nx.DiGraph()
    graph.add_nodes_from(BOXES)
    for module, others in imports().items():
        pairs = {(box_of(module), box_of(other)) for other in others}
        graph.add_edges_from((a, b) for a, b in pairs if a and b and a != b)
    return graph


def require(steps: list[Step], graph: nx.DiGraph) -> None:
    """End unless every step is an import, or the entry point that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for step in steps:
        points = project["entry-points"].get(step.group, {}).values()
        ends = {step.start, step.end}
        entered = any(box_of(point.partition(":")[0]) in ends for point in points)
        imported = graph.has_edge(step.start, step.end) or graph.has_edge(step.end, step.start)
        if not (entered if step.group else imported):
            what = f"entry point of {step.group}" if step.group else "import"
            sys.exit(f"no {what} joins {step.start} and {step.end}: is '{step.what}' another way now?")


def arrow(axes: Axes, start: Text, end: Text, what: str = "", **style: object) -> None:
    """An arrow from text to text, and what is written on it."""
    boxes = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch(), "shrinkA": 0, "shrinkB": 1}
    (x, y), (u, v) = start.get_position(), end.get_position()
    axes.annotate("", (u, v), (x, y), arrowprops={"arrowstyle": "-|>", **boxes, **style}, zorder=1)
    if what:
        beside = {"ha": "left", "va": "center"} if abs(u - x) < 1 else {"ha": "center", "va": "bottom"}
        look = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        place = (x + u) / 2 + 0.04 * (abs(u - x) < 1), (y + v) / 2 + 0.05 * (abs(u - x) >= 1)
        axes.text(*place, what, fontsize=7, color=str(style["color"]), bbox=look, zorder=2, **beside)


def draw(graph: nx.DiGraph) -> Figure:
    """The boxes, the imports between them, and the ways."""
    figure = Figure(
        figsize=(12.5, 6), dpi=72
    )  # what an SVG has, so that boxes are measured as they are drawn
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.6, 9.3)
    axes.set_ylim(-0.4, 4.4)
    look = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "0.3"}
    at = {"fontsize": 8, "ha": "center", "va": "center", "zorder": 3}
    boxes = {label: axes.text(box.x, box.y, label, bbox=look, **at) for label, box in BOXES.items()}
    plain = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    ends = {end.text: axes.text(end.x, end.y, end.text, style="italic", bbox=plain, **at) for end in ENDS}
    figure.draw_without_rendering()  # from here on a box knows how large it is
    shown = {frozenset((step.start, step.end)) for step in WAYS}
    for importer, imported in sorted(nx.transitive_reduction(graph).edges):
        if frozenset((importer, imported)) not in shown:
            bent = {"color": "0.75", "lw": 0.7, "connectionstyle": "arc3,rad=0.12"}
            arrow(axes, boxes[importer], boxes[imported], **bent)
    for step in WAYS:
        dashes = "dashed" if step.group else "solid"
        pair = boxes[step.start], boxes[step.end]
        arrow(axes, *pair, step.what, color=step.colour, lw=2, linestyle=dashes)
    for end in ENDS:
        pair = ends[end.text], boxes[end.box]
        arrow(axes, *(pair if end.x < BOXES[end.box].x else pair[::-1]), color=end.colour, lw=2)
    return figure


def main(folder: Path) -> None:
    """One picture."""
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    folder.mkdir(parents=True, exist_ok=True)
    graph = joined()
    require(WAYS, graph)
    draw(graph).savefig(folder / "ways.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
