"""Workload specs and tree shapes."""

import importlib
import sys

import networkx as nx
import numpy as np
import pytest

from kvtheory import sources
from kvtheory.errors import InputError
from kvtheory.shapes import parse_tree
from kvtheory.sources import generate, open_source, workloads
from kvtheory.specs import parameters


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        ("0,0,1,1", [0, 0, 1, 1]),
        ("star:3", [0, 0, 0]),
        ("path:3", [0, 1, 2]),
        ("comb:2", [0, 1, 1, 2]),
        ("binary:1", [0, 0]),
        ("binary:2", [0, 0, 1, 1, 2, 2]),
    ],
)
def test_shapes(text, parents):
    assert parse_tree(text).parent.tolist() == [-1, *parents]


def test_a_binary_tree_is_networkx_balanced_tree():
    tree = parse_tree("binary:4")
    graph = nx.Graph((int(p), v) for v, p in enumerate(tree.parent) if v)
    assert nx.is_isomorphic(graph, nx.balanced_tree(2, 4))


@pytest.mark.parametrize(
    "text", ["", "star", "star:", "star:0", "star:-1", "ring:3", "0,2", "0,x", "1", "binary:60"]
)
def test_bad_shapes(text):
    with pytest.raises(InputError):
        parse_tree(text)


def test_every_workload_has_defaults_of_its_declared_type():
    for generator in workloads().values():
        for parameter in parameters(generator):
            if isinstance(parameter.kind, type):
                assert isinstance(parameter.default, parameter.kind)


@pytest.mark.parametrize("name", sorted(workloads()))
def test_workloads_repeat_and_carry_their_own_spec(name):
    spec = {"gsp": "gsp:groups=3,prompts=2"}.get(name, name)
    first = generate(spec)
    again = generate(first.source)
    assert first.source == again.source
    assert np.array_equal(first.requests, again.requests)
    assert np.array_equal(first.tree.parent, again.tree.parent)
    assert np.array_equal(first.tree.tokens, again.tree.tokens)


def test_open_source_prefers_a_file_over_a_workload(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_source("cyclic").tree.n == 9
    (tmp_path / "cyclic").write_text('{"hash_ids": [7], "timestamp": 0}\n')
    assert open_source("cyclic").tree.n == 1


@pytest.mark.parametrize(
    "spec", ["zipf:seed=1,seed=2", "zipf:exponent=-1", "zipf:requests=1e9x", "gsp:shared=2"]
)
def test_bad_specs(spec):
    with pytest.raises(InputError, match=spec.partition(":")[0]):
        generate(spec)


def test_an_entry_point_may_be_a_package_of_workloads(tmp_path, monkeypatch):
    (tmp_path / "many").mkdir()
    files = {"__init__": "", "one": "def one(): ...", "helper": "def other(): ...", "_two": "def _two(): ..."}
    for name, text in files.items():
        (tmp_path / "many" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {"many": importlib.import_module("many"), "own": len}
    monkeypatch.setattr(sources, "plugins", lambda group: found)
    assert sources.workloads.__wrapped__() == {"one": sys.modules["many.one"].one, "own": len}
    found["one"] = len
    with pytest.raises(InputError, match=r"two workloads are named 'one': many\.one and builtins"):
        sources.workloads.__wrapped__()
    found["one"] = 3
    with pytest.raises(InputError, match=r"'one' of kvtheory\.workloads is neither function nor package"):
        sources.workloads.__wrapped__()
