"""The bounds in pyproject are those that were run: `constraints-lowest.txt` and `constraints-highest.txt`."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import kvtheory

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN = ("test", "proofs")
"""The extras that `make test-lowest` installs."""


def constraints(name):
    lines = (ROOT / "tests" / f"constraints-{name}.txt").read_text().split()
    return {name: Version(version) for name, version in (line.split("==") for line in lines)}


LOWEST, HIGHEST = constraints("lowest"), constraints("highest")
WANTED = [
    Requirement(line)
    for line in PROJECT["dependencies"] + [x for name in RUN for x in PROJECT["optional-dependencies"][name]]
]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_dependency_is_bounded_by_what_was_run(wanted):
    bounds = {part.operator: Version(part.version) for part in wanted.specifier}
    assert sorted(bounds) == ["<", ">="]
    assert bounds[">="] == LOWEST[wanted.name]
    assert LOWEST[wanted.name] <= HIGHEST[wanted.name] < bounds["<"]
    assert bounds["<"] == Version(str(HIGHEST[wanted.name].major + 1))


def test_the_same_dependency_has_the_same_bounds_in_every_extra():
    known = {wanted.name: str(wanted.specifier) for wanted in WANTED}
    for lines in PROJECT["optional-dependencies"].values():
        for wanted in map(Requirement, lines):
            assert known.get(wanted.name, str(wanted.specifier)) == str(wanted.specifier)


def test_one_version_everywhere():
    said = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert said
    assert said[1] == kvtheory.__version__
    assert f"\n## [{kvtheory.__version__}] - " in (ROOT / "CHANGELOG.md").read_text()
