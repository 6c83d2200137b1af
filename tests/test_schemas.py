"""Every JSON that a command writes obeys its published schema, and nothing that is broken does."""

import copy
import json
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kvtheory.cli import run
from kvtheory.schemas import VERSIONS, schema
from proofs_check.__main__ import main as proofs_check

PLACES = {"search": "adversaries.search", "certificate": "proofs_check", "results": "proofs_check"}
ELSEWHERE = {"run": "gpu_validation", "routed": "gpu_validation"}
PLAN = 'output = "{}"\nsources = ["cyclic:prompts=4"]\ncapacity = "2,3"\npolicies = "lru,rlt"\nseeds = 2\n'


def published(name):
    """The schema of a kind of document."""
    if name in PLACES | ELSEWHERE:
        return json.loads(files((PLACES | ELSEWHERE)[name]).joinpath(f"{name}.schema.json").read_text())
    return schema(name)


ALL = sorted((*PLACES, *ELSEWHERE, *("atlas", "exact", "opt", "policy", "ratio", "route", "witness")))


def lines(file):
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Documents of every kind, as the commands write them."""
    folder = tmp_path_factory.mktemp("written")
    place = lambda name: str(folder / name)  # noqa: E731

    def call(command, *options, json_file=None, code=0):
        wanted = ["--json", place(json_file)] if json_file else []
        assert run([*command.split(), *options, *wanted]) == code
        return lines(place(json_file))[0] if json_file else None

    found = {}
    cyclic, chat = "cyclic:prompts=5,requests=40", "chat:sessions=4,block=64"
    found["ratio"] = [
        call(f"ratio {cyclic} --capacity 3,4 --policies lru,rlt,partition --seeds 3", json_file="a"),
        call(f"ratio {chat} --capacity 10% --policies lru --measure tokens --warmup 0.5", json_file="b"),
        call(f"ratio {cyclic} --capacity 3 --policies lru,arc --bypass", json_file="c"),
    ]
    (folder / "plan.toml").write_text(PLAN.format(place("swept")))
    call("sweep", place("plan.toml"), "--jobs", "1")
    found["ratio"] += lines(folder / "swept" / "results.jsonl")
    costs = folder / "costs.json"
    costs.write_text('["1/3", "1/2", 1, 2, 5]')
    proofs = ["--witness", place("w1")], ["--witness", place("w2"), "--cost", str(costs)]
    found["opt"] = [
        call(f"opt {cyclic} --capacity 3 --method {method}", *more, json_file="o")
        for method, more in zip(("belady", "ilp"), proofs, strict=True)
    ] + [call(f"opt {chat} --capacity 9 --cost depth", json_file="o")]
    found["witness"] = lines(place("w1")) + lines(place("w2"))
    route = f"route {cyclic} --workers 2 --capacity 2 --policies lru,rlt"
    found["route"] = [
        call(f"{route} --routers round_robin --opt --alpha-cached 1/10", json_file="r"),
        call(f"{route} --routers lbgr,random --seeds 2 --preset llama8b_h100 --unit tokens", json_file="r"),
    ]
    tree = "--tree star:3 --capacity 2"
    exact = {
        name: call(f"exact {tree} --policy {name} --certificate", place(f"{name}.json"), json_file="e")
        for name in ("lru", "rlt", "mru", "best-deterministic")
    }
    played = "exact --tree star:3 --capacity 2 --policy best-randomized --emit-policy"
    exact["best"] = call(played, place("p.json"), "--certificate", place("best.json"), json_file="e")
    found["exact"] = list(exact.values())
    found["certificate"] = [lines(place(f"{name}.json"))[0] for name in exact]
    found["policy"] = lines(place("p.json"))
    call("atlas --nodes 3 --policies lru,mru,lfu,best-randomized --jobs 1 -o", place("atlas"))
    found["atlas"] = lines(folder / "atlas" / "atlas.jsonl")
    found["search"] = [
        call(f"search --policy {name} {tree} --evaluations 60 --length 60 -o", place("t"), json_file="s")
        for name in ("lru", "rlt")
    ]
    assert proofs_check(["belady_needs_bypass", "width_law", "--quick", "--json", place("proofs")]) == 0
    found["results"] = lines(place("proofs"))
    return found


@pytest.mark.parametrize("name", ALL)
def test_a_schema_is_one(name):
    found = published(name)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    says = found.get("properties", {}).get("schema")
    assert says in (None, {"const": found["$id"]})
    assert name not in VERSIONS or says == {"const": f"kvtheory-{name}/{VERSIONS[name]}"}


@pytest.mark.parametrize("name", [name for name in ALL if name not in ELSEWHERE])
def test_what_is_written_obeys(written, name):
    validator = Draft202012Validator(published(name))
    for document in written[name]:
        validator.validate(document)


def broken(document):
    """Copies with one entry gone, or of another type, at every place."""
    places = [()]
    for place in places:
        value = at(document, place)
        steps = value if isinstance(value, dict) else range(len(value[:3])) if isinstance(value, list) else ()
        places += [(*place, step) for step in steps]
    for place in places[1:]:
        copied = copy.deepcopy(document)
        parent = at(copied, place[:-1])
        if isinstance(parent, dict) and place[-1] != "seconds":
            del parent[place[-1]]
            yield (*place, "gone"), copied
        copied = copy.deepcopy(document)
        at(copied, place[:-1])[place[-1]] = [None]  # nothing is a list of one null
        yield place, copied


def at(document, place):
    for step in place:
        document = document[step]
    return document


FREE = {("atlas", "policies"), ("results",)}
"""Objects whose keys are names: one fewer is no fault."""


@pytest.mark.parametrize("name", [name for name in ALL if name not in ELSEWHERE])
def test_what_is_broken_does_not(written, name):
    validator = Draft202012Validator(published(name))
    document = written[name][0]
    tried = 0
    for place, changed in broken(document):
        if (name, *place[:-2]) not in FREE or place[-1] != "gone":
            tried += 1
            assert not validator.is_valid(changed), place
    assert tried > 5
    if name != "results":
        assert not validator.is_valid({**document, "invented": 1})
    if "schema" in document:
        assert not validator.is_valid({**document, "schema": document["schema"].replace("/1", "/2")})
