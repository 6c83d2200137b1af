"""Mixtures: each workload whole and in its order, trees apart, interleaved by time or by weight."""

import numpy as np
import pytest
from plain_prompts import chi_square

from adversaries.mixture import mixture
from kvtheory.errors import InputError
from kvtheory.sources import generate

PARTS = (
    "chat:sessions=20,rate=1,seed=3",
    "agents:tasks=5,rate=1,seed=4",
    "gsp:groups=3,prompts=4,block=16",
    "rag:requests=50",
)
OF = "+".join(part.replace(",", "/") for part in PARTS)
ABSTRACT = (
    "zipf:documents=30,blocks=2,requests=900",
    "cyclic:prompts=5,requests=600",
    "uniform:tree=0,0,1,requests=70",
)


def parts_of(mixed, specs):
    """Which workload each request comes from, by the subtree that its path begins in."""
    traces = [generate(spec) for spec in specs]
    first = np.cumsum([0] + [trace.tree.n for trace in traces])
    assert mixed.tree.n == first[-1]
    return traces, first, np.searchsorted(first, mixed.requests, side="left") - 1


@pytest.mark.parametrize(("specs", "weights"), [(PARTS, "time"), (PARTS, "1,2,3,4"), (ABSTRACT, "0.5,3,1e1")])
def test_every_workload_is_there_whole_in_its_order_on_a_tree_of_its_own(specs, weights):
    mixed = mixture(of="+".join(spec.replace(",", "/") for spec in specs), weights=weights, seed=1)
    traces, first, origin = parts_of(mixed, specs)
    parents = mixed.columns["parent_chat_id"]
    assert mixed.columns["chat_id"].tolist() == list(range(len(mixed)))
    for c, trace in enumerate(traces):
        ours = np.flatnonzero(origin == c)
        assert np.array_equal(mixed.requests[ours] - first[c], trace.requests)
        inside = slice(first[c] + 1, first[c + 1] + 1)
        parent = trace.tree.parent[1:]
        assert np.array_equal(mixed.tree.parent[inside], np.where(parent > 0, parent + first[c], 0))
        assert np.array_equal(mixed.tree.tokens[inside], trace.tree.tokens[1:])
        assert np.array_equal(mixed.tree.depth[mixed.requests[ours]], trace.depths)
        said = trace.columns.get("output_length", np.zeros(len(trace)))
        assert np.array_equal(mixed.columns["output_length"][ours], said)
        names = [mixed.type_names[code] for code in mixed.columns["type"][ours]]
        if "type" in trace.columns:
            assert names == [trace.type_names[code] for code in trace.columns["type"]]
            continued = [int(ours[p]) if p >= 0 else -1 for p in trace.columns["parent_chat_id"].tolist()]
            assert parents[ours].tolist() == continued
            assert np.array_equal(mixed.columns["turn"][ours], trace.columns["turn"])
        else:
            assert set(names) == {specs[c].partition(":")[0]}
            assert set(parents[ours].tolist()) == {-1}
            assert set(mixed.columns["turn"][ours].tolist()) == {1}
    if weights != "time":
        assert "timestamp" not in mixed.columns
    else:
        assert (np.diff(mixed.columns["timestamp"]) >= 0).all()
        every = np.concatenate([trace.columns["timestamp"] for trace in traces])
        assert np.array_equal(np.sort(every), mixed.columns["timestamp"])


def test_weights_are_shares_while_all_have_requests_left():
    specs = ("cyclic:requests=20000", "cyclic:requests=20000,blocks=2", "cyclic:requests=20000,blocks=3")
    mixed = mixture(of="+".join(spec.replace(",", "/") for spec in specs), weights="1,2,5", seed=2)
    _, _, origin = parts_of(mixed, specs)
    ends = [np.flatnonzero(origin == c)[-1] for c in range(3)]
    assert ends[2] < ends[1] < ends[0] == len(mixed) - 1
    counts = np.bincount(origin[: ends[2] + 1], minlength=3)
    assert chi_square(counts, ends[2] * np.array([1, 2, 5]) / 8) < 13.9  # 99.9 %, 2 degrees of freedom
    counts = np.bincount(origin[ends[2] + 1 : ends[1] + 1], minlength=3)
    assert counts[2] == 0
    assert chi_square(counts[:2], counts.sum() * np.array([1, 2]) / 3) < 10.9  # 1 degree
    assert set(origin[ends[1] + 1 :].tolist()) == {0}
    neighbours = np.bincount(3 * origin[:10_000:2] + origin[1:10_000:2], minlength=9)
    shares = np.outer([1, 2, 5], [1, 2, 5]).reshape(-1) / 64
    assert chi_square(neighbours, 5000 * shares) < 26.1  # independent draws: 8 degrees


def test_the_spec_of_a_mixture_goes_through_the_command_lines_parser():
    mixed = generate(f"mixture:of={OF},seed=5")
    assert "turns=4.0/" in mixed.source
    again = generate(mixed.source)
    assert again.source == mixed.source
    assert np.array_equal(again.requests, mixed.requests)
    weighed = generate("mixture:of=cyclic:prompts=3+uniform:tree=0/0/1/seed=2,weights=2,1,seed=4")
    assert "tree=0/0/1" in weighed.source
    assert weighed.source.endswith(",weights=2,1,seed=4")
    assert generate(weighed.source).source == weighed.source


def test_a_plus_sign_inside_a_number_does_not_end_a_workload():
    assert len(mixture(of="chat:sessions=3/rate=1e+3+chat:sessions=2/seed=1")) > 0


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"of": ""}, "of", "no workload"),
        ({"of": "chat+nonsense"}, "of", "nonsense"),
        ({"of": "chat:turns=0"}, "of", "turns"),
        ({"of": "chat+mixture"}, "of", "mixture of mixtures"),
        ({"of": "chat+drift:block=16"}, "of", "no times"),
        ({"of": "chat+chat:block=32"}, "of", "blocks of 16, 32"),
        ({"of": "chat+rag", "weights": "1"}, "weights", "1 for 2"),
        ({"of": "chat+rag", "weights": ""}, "weights", "not a list"),
        ({"of": "chat+rag", "weights": "1,x"}, "weights", "not a list"),
        ({"of": "chat+rag", "weights": "1,0"}, "weights", "not positive"),
        ({"of": "chat+rag", "weights": "1,nan"}, "weights", "not positive"),
        ({"seed": -1}, "seed", "less than 0"),
    ],
)
def test_bad_mixtures(arguments, field, message):
    with pytest.raises(InputError, match=message) as caught:
        mixture(**arguments)
    assert caught.value.field == field
