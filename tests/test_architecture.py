"""The picture of docs/architecture.rst is of the imports that there are, and there are no cycles of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import networkx as nx
import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "figures" / "ways.py"


@pytest.fixture(scope="module")
def ways() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ways", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_drawn_twice_alike(ways: ModuleType, tmp_path: Path) -> None:
    pictures = []
    for name in ("first", "again"):
        ways.main(tmp_path / name)
        pictures.append((tmp_path / name / "ways.svg").read_bytes())
    assert pictures[0] == pictures[1]
    assert all(step.what.encode() in pictures[0] for step in ways.WAYS)


def test_it_finds_the_imports_that_grimp_finds(ways: ModuleType) -> None:
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(*ways.PACKAGES, cache_dir=None)
    found = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert ways.imports() == found


@pytest.mark.parametrize(
    ("start", "end", "group", "message"),
    [
        ("traces/", "live/", "", "no import joins traces/ and live/"),
        ("adversaries/", "sources.py", "kvtheory.routers", "no entry point of kvtheory.routers joins"),
        ("policies/", "report/", "kvtheory.workloads", "no entry point of kvtheory.workloads joins"),
    ],
)
def test_a_step_that_is_none_stops_it(
    ways: ModuleType, start: str, end: str, group: str, message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        ways.require([ways.Step(start, end, "something", "C0", group)], ways.joined())


def test_a_box_without_its_module_stops_it(ways: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ways.BOXES, "gone.py", ways.Box(0, 0, ("kvtheory.gone",)))
    with pytest.raises(SystemExit, match=r"no such module: kvtheory\.gone"):
        ways.joined()


def test_no_module_and_no_folder_imports_itself_by_way_of_others(ways: ModuleType) -> None:
    """For types alone and inside functions, too; seen by folders of every level."""
    pairs = [(module, other) for module, others in ways.imports().items() for other in others]
    for level in range(1, 5):
        short = [[".".join(name.split(".")[:level]) for name in pair] for pair in pairs]
        graph = nx.DiGraph([pair for pair in short if pair[0] != pair[1]])
        assert not list(nx.simple_cycles(graph)), level
