"""The committed evaluation is what the program computes; its workloads have the shape they claim."""

import csv
import hashlib
import io
import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from adversaries.evaluation import cells as made
from adversaries.evaluation import pictures, tables
from adversaries.evaluation.__main__ import write
from adversaries.evaluation.cells import Cell, Incident, row
from adversaries.evaluation.workloads import CHATS, TRACE, first, make_workload
from kvtheory.engine.arrivals import sessions
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.registry import policies

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "routing"
needs_trace = pytest.mark.skipif(not TRACE.exists(), reason="the Mooncake trace is not there")


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def incidents():
    return json.loads((FOLDER / "incidents.json").read_text())


def cell_of(found):
    return Cell(**{name: found[name] for name in Cell.__dataclass_fields__})


def check(known, again):
    assert known.keys() == again.keys()
    for name, value in known.items():
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, rel=1e-5), name
        else:
            assert again[name] == value, name


# --- the committed files ---


def test_the_committed_files_are_whole():
    sums = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    names = {"incidents.json", "incidents.svg", "runs.jsonl", "table.csv", "table.svg", "verdicts.json"}
    assert set(sums) == names
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_every_cell_is_there_once(rows, incidents):
    wanted = [*made.table_cells(), *made.closest_cells(), *made.page_cells(), *made.tuned_cells()]
    assert [cell_of(found) for found in rows] == wanted
    assert len(set(wanted)) == len(wanted)
    assert [Incident(found["incident"], found["router"]) for found in incidents] == made.incident_cells()


def test_tables_are_made_from_the_rows(rows, incidents, tmp_path):
    table, closest = ([found for found in rows if found["part"] == part] for part in ("table", "closest"))
    others = [found for found in rows if found["part"] in ("pages", "tuned")]
    for file in write(tmp_path, table, closest, others, incidents):
        if file.suffix != ".svg":
            assert file.read_bytes() == (FOLDER / file.name).read_bytes()
        else:
            assert file.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize("seed", range(3))
def test_a_random_sample_is_computed_again(rows, seed):
    dice = random.Random(seed)
    cheap = [found for found in rows if found["workload"] in CHATS]
    dear = [found for found in rows if found["workload"].startswith("gsp") and found["page"] > 16]
    for known in [*dice.sample(cheap, 3), dice.choice(dear)]:
        check(known, row(cell_of(known)))


@needs_trace
def test_a_run_of_the_real_trace_is_computed_again(rows):
    known = random.Random(4).choice([found for found in rows if found["workload"] == "mooncake"])
    check(known, row(cell_of(known)))


def test_no_request_is_lost_or_counted_twice(incidents):
    for found in incidents:
        assert found["served"] == found["requests"] == 3 * 4096
        assert (found["resent"] > 0) == ("dies" in found["incident"])


def test_recovery_counts_from_the_incident():
    calm = {
        "incident": "none",
        "router": "x",
        "p95_ttft": [1.0] * 20,
        "resent": 0,
        "served": 1,
        "requests": 1,
    }
    hurt = {**calm, "incident": "i", "p95_ttft": [1.0] * 10 + [9, 9, 1, 3, 1, 1, 1, 5] + [1.0] * 2}
    never = {**hurt, "p95_ttft": [1.0] * 10 + [3, 1, 1] * 3 + [3]}
    found = pictures.recovery([calm, hurt, never])
    assert [one["seconds"] for one in found] == [40, None]
    assert [one["worst"] for one in found] == [9, 3]


# --- what is computed from rows ---


def test_means_and_factors():
    base = asdict(Cell("table", "w", "random", "lru", 0, 12.0, "p", 1.0, 1))
    numbers = dict.fromkeys(tables.METRICS, 1.0)
    slow = [{**base, **numbers, "seed": s, "mean_latency": value} for s, value in enumerate((2.0, 4.0))]
    ours = {**base, **numbers, "router": "lbgr", "policy": "rlt", "hit_rate": 3.0, "throughput": 1.5}
    means = tables.means([*slow, ours])
    assert (means[0]["mean_latency"], means[0]["seeds"]) == (3.0, 2)
    assert means[0]["mean_latency_ci95"] == pytest.approx(12.706, rel=1e-4)  # t of one degree, 2 / 2 apart
    assert means[1]["mean_latency_ci95"] is None
    (found,) = tables.factors(means)
    assert [found[name] for name in tables.HEADLINES] == [3.0, 3.0, 1.0, 1.5]
    assert found["baseline"] == "random"
    assert tables.distance(dict(tables.HEADLINES)) == 0
    read = list(csv.DictReader(io.StringIO(tables.as_csv(means))))
    assert read[1]["mean_latency_ci95"] == ""
    assert float(read[0]["mean_latency"]) == 3.0


def test_the_closest_is_closest():
    rows = [dict.fromkeys(tables.HEADLINES, 1.0) | {"id": i} for i in range(3)]
    rows[1]["hit_rate"] = 6.0
    rows[2]["hit_rate"] = 40.0
    found = tables.verdicts(rows[:1], rows[1:])["headlines"]["hit_rate"]
    assert (found["largest"]["id"], found["closest"]["id"], found["best"]["id"]) == (0, 1, 2)


# --- workloads ---


def test_gsp_is_the_papers():
    trace = make_workload("gsp_random", 3, 64)
    lengths = trace.tree.path_sums(trace.tree.tokens)[trace.requests]
    assert len(trace) == 128 * 32
    assert set(lengths.tolist()) <= {512, 1024, 2048, 4096, 8192}
    assert set(trace.columns["output_length"]) == {4}
    assert trace.columns["timestamp"][-1] == pytest.approx(4096 / 12, rel=0.1)


@pytest.mark.parametrize(
    ("name", "turns", "message", "reply"), [("sharegpt", 5.75, 161, 338), ("ultrachat", 3.85, 60, 320)]
)
def test_chats_have_the_published_means(name, turns, message, reply):
    """Means of forty times 128 conversations; growth between two turns is a reply and a message."""
    counts, grown, opened = [], [], []
    for seed in range(40):
        trace = make_workload(name, seed, 16)
        assert len(trace) <= 1024
        assert (np.diff(trace.columns["timestamp"]) >= 0).all()
        length = trace.tree.path_sums(trace.tree.tokens)[trace.requests]
        before = trace.columns["parent_chat_id"]
        grown += (length - length[before])[before >= 0].tolist()
        opened += length[before < 0].tolist()
        if len(trace) < 1024:
            counts.append(len(trace) / len(set(sessions(trace).tolist())))
    assert np.mean(counts) == pytest.approx(turns, rel=0.04)
    assert np.mean(opened) == pytest.approx(message, rel=0.05)
    assert np.mean(grown) == pytest.approx(message + reply, rel=0.05)


def test_documents_are_cut_and_asked_about():
    trace = make_workload("loogle", 1, 64)
    again = make_workload("loogle", 1, 64)
    assert np.array_equal(trace.requests, again.requests)
    asked = np.bincount(sessions(trace))
    assert asked.size == 512
    assert asked.max() <= 100
    assert asked.mean() == pytest.approx(8, rel=0.15)
    depth = trace.tree.depth
    hubs = np.flatnonzero((np.bincount(trace.tree.parent[1:], minlength=trace.tree.n + 1) > 1)[1:]) + 1
    assert {int(depth[v]) * 64 for v in hubs} <= {1024, 2048, 4096, 8192}


def test_real_files_take_the_place_of_shapes(tmp_path):
    file = tmp_path / "talks.jsonl"
    file.write_text("".join(json.dumps({"data": ["a" * 90, "b"] * 9}) + "\n" for _ in range(200)))
    trace = make_workload("ultrachat", 2, 16, {"ultrachat": str(file)})
    assert len(trace) == 1024
    assert set(trace.columns["output_length"]) == {4}
    with pytest.raises(InputError, match="no workload"):
        make_workload("nothing", 0, 16)


def test_a_run_against_the_plain_engine():
    """Round robin sends every fourth request to a worker: hits by the reference engine, one cache each."""
    cell = Cell("table", "sharegpt", "round_robin", "lru", 0, 12.0, made.L40, 0.02, 16)
    trace = first(make_workload("sharegpt", 0, 16), 200)
    run = made.serve(cell, trace)
    capacity = int(0.02 * 207_000) // 16
    served, _ = trace.cut(capacity)
    above = trace.tree.path_sums(trace.tree.tokens)
    hit = np.zeros(len(trace), np.int64)
    for worker in range(4):
        mine = served.requests[worker::4].tolist()
        found, _ = ReferenceEngine(trace.tree, capacity, policies()["lru"]).run(mine)
        hit[worker::4] = above[found]
    assert run.hit.tolist() == hit.tolist()
    assert made.measured(run)["hit_rate"] == pytest.approx(hit.sum() / run.length.sum(), rel=1e-6)
