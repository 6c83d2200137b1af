"""The README's worked example is what the program prints."""

import re
import shlex
from pathlib import Path

import pytest

from kvtheory.cli import run

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"```console\n\$ (.+?)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_there_is_an_example():
    assert EXAMPLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples: a later one may read what an earlier one wrote."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_the_readme_tells_the_truth(capsys, monkeypatch, folder, command, output):
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(command)
    assert program == "kvtheory"
    assert run(arguments) == 0
    assert _lines(capsys.readouterr().out) == _lines(output)


def _lines(text):
    """Without the one figure that differs from run to run."""
    return [re.sub(r"^( +seconds ) .*", r"\1", line.rstrip()) for line in text.splitlines()]
