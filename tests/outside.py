"""A distribution that is not this one, of the files that the how-to pages show: found by its entry points."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
DOORS = {
    "policies": ("second_visit", "SecondVisit"),
    "routers": ("first_home", "FirstHome"),
    "workloads": ("ping_pong", "ping_pong"),
    "theorems": ("no_choice_on_a_path", "THEOREM"),
    "trace_formats": ("lmsys_chat", "LMSYSChat"),
}
"""Group of entry points: the file of docs/examples, and what in it is meant."""


def install(folder: Path) -> None:
    """What pip would leave in `folder`, to be put on the path: five modules and their entry points."""
    about = folder / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    points = [f"[kvtheory.{group}]\n{name} = {name}:{item}\n" for group, (name, item) in DOORS.items()]
    (about / "entry_points.txt").write_text("\n".join(points))
    for name, _ in DOORS.values():
        shutil.copy(EXAMPLES / f"{name}.py", folder)
