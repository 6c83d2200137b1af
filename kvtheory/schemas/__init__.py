"""The JSON documents that the command line writes: the version that each holds, and a JSON Schema of each.

The schemas (draft 2020-12) are files beside this one. A change that an old reader would not survive is a new
number behind the name.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

VERSIONS = {"ratio": 1, "opt": 1, "route": 1, "exact": 1, "search": 1}
"""Of documents that get their version when they are written."""


def versioned(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """A result with its `schema`, such as `kvtheory-ratio/1`, in front."""
    return {"schema": f"kvtheory-{name}/{VERSIONS[name]}", **value}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of `atlas`, `exact`, `opt`, `policy`, `ratio`, `route` or `witness`.

    Raises:
        FileNotFoundError: if there is none of that name.
    """
    text = files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
