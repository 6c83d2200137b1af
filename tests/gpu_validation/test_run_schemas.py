"""The published schemas of runs refuse what `report` refuses of single fields, and take what it takes."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from test_malformed import PATHS, VALUES, WHOLE, replaced
from test_routed_report import routed

import gpu_validation
from gpu_validation.schema import FIELDS, ROUTED_FIELDS, _problems

FOLDER = Path(gpu_validation.__file__).parent


def validator(name):
    return Draft202012Validator(json.loads((FOLDER / f"{name}.schema.json").read_text()))


def test_committed_and_made_runs_obey():
    validator("run").validate(json.loads((FOLDER / "results" / "cpu" / "run.json").read_text()))
    validator("run").validate(WHOLE)
    validator("routed").validate(routed())


@pytest.mark.parametrize("name", ["run", "routed"])
def test_the_same_fields(name):
    fields, schema = (FIELDS, "run") if name == "run" else (ROUTED_FIELDS, "routed")
    found = validator(schema).schema
    assert sorted(found["required"]) == sorted(fields)
    assert sorted(found["properties"]["plan"]["required"]) == sorted(fields["plan"])
    assert sorted(found["properties"]["runs"]["items"]["required"]) == sorted(fields["runs"][0])


def test_the_same_is_refused():
    judge = validator("run")
    small = copy.copy(WHOLE)
    small["runs"] = WHOLE["runs"][:1]
    differ = []
    for path in PATHS:
        if path[:1] == ("runs",) and path[1:2] > (0,):
            continue
        for value in VALUES:
            if value == [1, 1, 1.0]:  # to JSON Schema 1.0 is an integer
                continue
            changed = replaced(small, path, value)
            if value == value and judge.is_valid(changed) != (not list(_problems(changed, FIELDS, ""))):
                differ.append((path, value))
    assert differ == []
