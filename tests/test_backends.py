"""Sweeps on Dask and on Ray: the same bytes, on one's own cluster or a running one, whatever dies.

Everything runs in processes of its own, marked by a variable of the environment: none may outlive its test.
"""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numba
import pytest

from kvtheory.backends import DIED
from kvtheory.cells import compute_elsewhere
from kvtheory.cli import run
from kvtheory.errors import KVTheoryError
from kvtheory.sweep import compute_cell, read_plan, run_sweep

HERE = Path(__file__).parent
PLAN = """
output = "out"
sources = ["own.jsonl", "zipf:documents=20,requests=60"]
capacity = "3,50%"
policies = "lru,rlt"
seeds = 2
"""
SLOW = f"""
output = "out"
sources = ["zipf:documents=400,requests={1_000 if numba.config.DISABLE_JIT else 300_000}"]
capacity = "3,5,8,13,21,34"
policies = "rlt,random"
seeds = 8
"""


def needs(backend):
    module = {"dask": "distributed", "ray": "ray"}[backend]
    reason = f"{backend} is not installed: pip install 'kvtheory[cluster]'"
    return pytest.mark.skipif(find_spec(module) is None, reason=reason)


BACKENDS = [pytest.param(name, marks=needs(name)) for name in ("dask", "ray")]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("DASK_SCHEDULER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    assert run(["workload", "chat:sessions=5", "-o", "own.jsonl"]) == 0
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    return file


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start `python ARGUMENTS`; at the end what was not waited for is ended, and nothing may be left."""
    psutil = pytest.importorskip("psutil", reason="psutil comes with dask")
    monkeypatch.setenv("KVTHEORY_TEST", str(tmp_path))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv(
        "RAY_AUTH_MODE", "token"
    )  # who joins a cluster knows its secret; else one is left at home
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    started = []

    def launch(*arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        process = subprocess.Popen([sys.executable, *map(str, arguments)], start_new_session=True, **options)
        started.append(process)
        return process

    def left():
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get("KVTHEORY_TEST") == str(tmp_path):
                    found.append(process)
            except psutil.Error:
                pass
        return found

    yield launch
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    wait_for(lambda: not left(), 15, strict=False)
    survivors = [(process, process.cmdline()) for process in left()]
    for process, _ in survivors:
        process.kill()
    assert survivors == []


def wait_for(condition, seconds=60, strict=True):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            assert not strict, "waited in vain"
            return
        time.sleep(0.05)


def finish(process, code=0):
    out, err = process.communicate(timeout=600 if numba.config.DISABLE_JIT else 120)
    assert process.returncode == code, out + err
    return out, err


@pytest.fixture
def scheduler(tmp_path, start):
    """A running Dask cluster whose workers started elsewhere and have two threads each."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = elsewhere / "scheduler.json"
    quiet = {"cwd": elsewhere, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cli = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    start(*cli, "--scheduler-file", file, **quiet)
    worker = ("-m", "distributed.cli.dask_worker", "--nworkers", "1", "--nthreads", "2", "--no-dashboard")
    start(*worker, "--scheduler-file", file, **quiet)
    wait_for(file.exists)
    return json.loads(file.read_text())["address"].removeprefix("tcp://")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_bytes_are_those_of_the_local_backend(plan, start, backend):
    here = run_sweep(read_plan(plan), jobs=1).results.read_bytes()
    (plan.parent / "out").rename("local")
    out, err = finish(start("-m", "kvtheory", "sweep", plan, "--backend", backend, "--jobs", "2"))
    assert out == "4 cells, 4 computed, 0 kept: out/results.jsonl\n"
    assert err == ""
    assert Path("out/results.jsonl").read_bytes() == here
    assert b"own.jsonl" in here
    assert b"seconds" not in here
    assert b"seconds" in next(Path("out/cells").iterdir()).read_bytes()


@needs("dask")
def test_a_running_dask_cluster(plan, start, scheduler, monkeypatch):
    here = run_sweep(read_plan(plan), jobs=1).results.read_bytes()
    (plan.parent / "out").rename("local")
    sweep = ("-m", "kvtheory", "sweep", plan, "--backend", "dask")
    finish(start(*sweep, "--address", scheduler))
    assert Path("out/results.jsonl").read_bytes() == here
    next(Path("out/cells").iterdir()).unlink()
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", scheduler)
    out, _ = finish(start(*sweep, "--resume"))
    assert "1 computed, 3 kept" in out
    _, err = finish(start(*sweep, "--resume", "--jobs", "2"), 2)
    assert "--jobs" in err
    _, err = finish(start(HERE / "cells_that_fail.py", plan.parent / "failing", "dask", scheduler), 1)
    assert "No module named 'cells_that_fail'" in err.splitlines()[-1]


@needs("dask")
def test_ctrl_c_on_dask_and_on_with_it(plan, start):
    plan.write_text(SLOW)
    cells = plan.parent / "out" / "cells"
    process = start("-m", "kvtheory", "sweep", plan, "--backend", "dask", "--jobs", "2")
    wait_for(lambda: cells.exists() and any(cells.glob("*.json")))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, err = finish(process, 130)
    assert err == "kvtheory: interrupted\n"
    kept = len(list(cells.glob("*.json")))
    assert 0 < kept < 6
    assert not list(cells.glob(".*"))
    out, _ = finish(start("-m", "kvtheory", "sweep", plan, "--backend", "dask", "--jobs", "2", "--resume"))
    assert f"{6 - kept} computed, {kept} kept" in out
    again = Path("out/results.jsonl").read_bytes()
    (plan.parent / "out").rename("dask")
    assert run_sweep(read_plan(plan), jobs=1).results.read_bytes() == again


def failing(start, folder, backend, address="", *, die=False):
    (folder / "die").touch() if die else (folder / "die").unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return start(HERE / "cells_that_fail.py", folder, backend, address, env=environment)


@needs("dask")
def test_workers_killed_on_dask(tmp_path, start, monkeypatch):
    process = failing(start, tmp_path, "dask")
    wait_for(lambda: (tmp_path / "pids").exists() and any((tmp_path / "pids").iterdir()))
    os.kill(int(next((tmp_path / "pids").iterdir()).name), signal.SIGKILL)
    out, err = finish(process)
    assert out.endswith("4 of 4 cells\ncomputed 4\n")
    assert err == ""
    for file in (tmp_path / "cells").iterdir():
        file.unlink()
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    _, err = finish(failing(start, tmp_path, "dask", die=True), 1)
    assert err.splitlines()[-1] == DIED
    kept = len(list((tmp_path / "cells").iterdir()))
    out, _ = finish(failing(start, tmp_path, "local"))
    assert out.endswith(f"computed {4 - kept}\n")


def test_workers_killed_here(tmp_path, start):
    _, err = finish(failing(start, tmp_path, "local", die=True), 1)
    assert err.splitlines()[-1] == DIED


RAY_HOST = """
import ray, sys
ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@needs("ray")
def test_a_running_ray_cluster_and_workers_killed_on_it(tmp_path, start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    host = start("-c", RAY_HOST, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    address = host.stdout.readline().strip()
    _, err = finish(failing(start, tmp_path, "ray", address, die=True), 1)
    assert err.splitlines()[-1] == DIED
    kept = len(list((tmp_path / "cells").iterdir()))
    monkeypatch.setenv("RAY_ADDRESS", address)
    out, _ = finish(failing(start, tmp_path, "ray", "from the environment"))
    assert out.endswith(f"computed {4 - kept}\n")
    finish(host)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--address", "127.0.0.1:8786"], "field 'address': is for --backend dask or ray"),
        (["--backend", "spark"], "spark"),
        *[
            pytest.param(["--backend", name, *more], says, marks=needs(name))
            for name in ("dask", "ray")
            for more, says in [
                (["--address", "127.0.0.1:1"], "nothing answers at 127.0.0.1:1"),
                (["--address", "nonsense"], "'nonsense' is not HOST:PORT"),
                (["--address", "127.0.0.1:99999"], "nothing answers"),
                (["--address", ""], "is empty"),
                (["--address", "127.0.0.1:1", "--jobs", "2"], "field 'jobs'"),
                (["--jobs", "0"], "field 'jobs'"),
            ]
        ],
    ],
)
def test_what_is_refused(plan, capsys, options, says):
    assert run(["sweep", str(plan), *options]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (plan.parent / "out").exists()


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_one_line(plan, capsys, monkeypatch, backend, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert run(["sweep", str(plan), "--backend", backend]) == 2
    err = capsys.readouterr().err
    assert f"{backend} is not installed" in err
    assert "pip install 'kvtheory[cluster]'" in err
    assert err.count("\n") == 1
    assert not (plan.parent / "out").exists()


def test_a_worker_that_sees_another_file_refuses(plan, tmp_path):
    cell = read_plan(plan).cells[0]
    file = tmp_path / f"{cell.key()}.json"
    compute_elsewhere(compute_cell, cell, file)
    report = json.loads(file.read_text())
    assert report["source"] == "own.jsonl"
    file.unlink()
    with (tmp_path / "own.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(KVTheoryError, match=r"not the same trace file, for .*own\.jsonl"):
        compute_elsewhere(compute_cell, cell, file)
    assert not file.exists()


def test_the_folder_of_the_command_does_not_matter(plan, tmp_path, monkeypatch):
    cell = read_plan(plan).cells[0]
    name = cell.key()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cell.key() == name
    compute_cell(cell, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["source"] == "own.jsonl"
