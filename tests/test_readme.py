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


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_the_readme_tells_the_truth(capsys, command, output):
    program, *arguments = shlex.split(command)
    assert program == "kvtheory"
    assert run(arguments) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == [line.rstrip() for line in output.splitlines()]
