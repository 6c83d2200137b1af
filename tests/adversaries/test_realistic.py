"""What every realistic family owes: its spec, its refusals, files that mean the same, memory by the node."""

import json
import tracemalloc

import numpy as np
import pytest

from kvtheory.cli import run
from kvtheory.errors import InputError
from kvtheory.sources import generate
from kvtheory.traces import read_trace, write_trace

SMALL = {
    "chat": "chat:sessions=60,seed=3",
    "documents": "documents:visits=60,documents=20,tokens=300,pool=3",
    "agents": "agents:tasks=15,spawn=0.2",
    "rag": "rag:requests=150,chunks=30,exponent=1.3,order=popularity",
    "drift": "drift:requests=800,documents=60,move=renew,period=5",
    "mixture": "mixture:of=chat:sessions=20+rag:requests=60/chunks=20+agents:tasks=4",
}
LARGE = {  # more requests without longer prompts
    "chat": ("chat:sessions=12000,message=400", "chat:sessions=48000,message=400"),
    "documents": ("documents:visits=10000,question=300", "documents:visits=40000,question=300"),
    "agents": ("agents:tasks=2000", "agents:tasks=8000"),
    "rag": ("rag:requests=20000", "rag:requests=80000"),
    "drift": ("drift:requests=30000,move=renew,period=1", "drift:requests=120000,move=renew,period=1"),
    "mixture": (
        "mixture:of=rag:requests=10000+chat:sessions=5000",
        "mixture:of=rag:requests=40000+chat:sessions=20000",
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_spec_makes_the_same_trace_bit_for_bit(name):
    first = generate(SMALL[name])
    again = generate(first.source)
    assert first.source == again.source
    assert first.type_names == again.type_names
    pairs = [(first.requests, again.requests), (first.tree.parent, again.tree.parent)]
    pairs += [(first.tree.tokens, again.tree.tokens)]
    pairs += [(first.columns[key], again.columns[key]) for key in first.columns]
    assert first.columns.keys() == again.columns.keys()
    for one, other in pairs:
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    if name != "mixture":
        other = generate(SMALL[name].partition(",seed")[0] + ",seed=11")
        assert other.tree.n != first.tree.n or other.requests.tobytes() != first.requests.tobytes()


@pytest.mark.parametrize("name", SMALL)
def test_every_node_is_on_the_path_of_a_request(name):
    trace = generate(SMALL[name])
    asked = np.zeros(trace.tree.n + 1, dtype=bool)
    for v in set(trace.requests.tolist()):
        asked[trace.tree.path(v)] = True
    assert asked[1:].all()


@pytest.mark.parametrize("name", SMALL)
def test_the_bailian_file_holds_every_column(name, tmp_path):
    trace = generate(SMALL[name])
    write_trace(trace, tmp_path / "t.jsonl", "bailian")
    read = read_trace(tmp_path / "t.jsonl")
    for key, column in trace.columns.items():
        if key == "type":
            names = [[t.type_names[code] for code in t.columns["type"]] for t in (trace, read)]
            assert names[0] == names[1]
        else:
            np.testing.assert_allclose(read.columns[key], column, rtol=0, atol=1e-6)
    assert read.block_tokens == trace.block_tokens
    sums = [t.tree.path_sums(t.tree.tokens)[t.requests] for t in (trace, read)]
    assert np.array_equal(sums[0], sums[1])


@pytest.mark.parametrize("format", ["mooncake", "bailian", "kvcache_ai"])
@pytest.mark.parametrize("name", SMALL)
def test_a_written_workload_has_the_same_misses(name, format, tmp_path, capsys):
    file = str(tmp_path / "trace.jsonl.gz")
    assert run(["workload", SMALL[name], "--format", format, "-o", file]) == 0
    capsys.readouterr()
    found = []
    for source in (SMALL[name], file):
        options = ["--capacity", "5%,20%", "--policies", "lru,lfu,rlt", "--seeds", "3", "--json", "-"]
        assert run(["ratio", source, *options]) == 0
        result = json.loads(capsys.readouterr().out)
        del result["source"]
        for item in result["runs"]:
            del item["opt"]["seconds"]
            for policy in item["policies"]:
                del policy["seconds"]
        found.append(result)
    assert found[0] == found[1]
    assert found[0]["runs"][0]["opt"]["misses"] < found[0]["accesses"]


BAD = [
    *(f"{name}:seed=-1" for name in SMALL),
    *(f"{name}:block=0" for name in SMALL if name != "mixture"),
    *(f"{name}:exponent=11" for name in SMALL if name != "mixture"),
    *(f"{name}:exponent=nan" for name in SMALL if name != "mixture"),
    *(f"{name}:spread=-0.1" for name in ("chat", "documents", "agents", "rag")),
    *(f"{name}:rate=0" for name in ("chat", "documents", "agents", "rag")),
    *(f"{name}:speed=0" for name in ("chat", "documents", "agents")),
    *(f"chat:{bad}" for bad in ("sessions=0", "turns=0.5", "turns_law=uniform", "abandon=1.1", "message=0")),
    *(f"chat:{bad}" for bad in ("reply=0", "think=-1", "think=inf", "systems=-1", "system=0")),
    *(f"documents:{bad}" for bad in ("visits=0", "documents=0", "tokens=0", "questions=0", "question=0")),
    *(f"documents:{bad}" for bad in ("pool=-1", "system=-1", "answer=0", "think=nan")),
    *(
        f"agents:{bad}"
        for bad in ("tasks=0", "steps=0", "spawn=-0.1", "team=0", "substeps=0.9", "backtrack=2")
    ),
    *(f"agents:{bad}" for bad in ("backtrack=0.95", "back=0", "task=0", "reply=0", "result=0", "tool=-1")),
    *(f"agents:{bad}" for bad in ("systems=-1", "system=0")),
    *(
        f"rag:{bad}"
        for bad in ("requests=0", "chunks=0", "chunks=3", "retrieved=0", "order=none", "tokens=0")
    ),
    *(f"rag:{bad}" for bad in ("system=-1", "question=-1", "answer=0")),
    *(
        f"drift:{bad}"
        for bad in ("documents=0", "blocks=0", "shared=-1", "requests=0", "move=fly", "period=0")
    ),
]


@pytest.mark.parametrize("spec", BAD)
def test_a_bad_parameter_is_named(spec):
    field = spec.partition(":")[2].partition("=")[0]
    if spec == "rag:chunks=3":
        field = "retrieved"
    with pytest.raises(InputError, match=f"field '{field}'"):
        generate(spec)


@pytest.mark.parametrize("name", LARGE)
def test_memory_grows_with_nodes_and_requests_alone(name):
    """Four times as many requests: no more bytes for each node and request, give or take a tenth."""
    cost = []
    for spec in LARGE[name]:
        tracemalloc.start()
        trace = generate(spec)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        cost.append(peak / (trace.tree.n + len(trace)))
    assert cost[1] < 1.1 * cost[0] < 1.1 * 400
