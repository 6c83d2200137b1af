"""The command as a process of its own: signals, standard input, full devices, read-only installations."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = "cyclic:prompts=5,requests=40"

HEEDFUL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
HEEDFUL += "from kvtheory.cli import main; main()"


def start(*arguments, cwd):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HEEDFUL, *arguments]
    return subprocess.Popen(command, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    process = start("workload", "gsp:groups=64,block=1", "-o", "big.jsonl", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [file.name.startswith(".big.jsonl") for file in tmp_path.iterdir()] == [True]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "kvtheory: interrupted\n"
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_standard_input(tmp_path):
    process = start("ratio", "-", "--capacity", "1", "--policies", "lru", "--json", "-", cwd=tmp_path)
    out, err = process.communicate('{"hash_ids": [1, 2], "timestamp": 0}\n', timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["source"] == "<stdin>"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_device_and_a_reader_that_leaves(tmp_path):
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-m", "kvtheory", "policies"]
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, **streams)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    shell = f"{sys.executable} -m kvtheory policies | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs another user to become")
def test_an_install_that_cannot_be_written_to_still_runs(tmp_path):
    source = Path(__file__).parents[1]
    if not os.access(sys.executable, os.X_OK) or not _readable_by_all(Path(sys.executable).resolve()):
        pytest.skip("this interpreter is closed to other users")
    code = "import os; os.setgid(65534); os.setuid(65534); from kvtheory.cli import run; "
    code += "raise SystemExit(run(['ratio', 'cyclic', '--capacity', '4', '--policies', 'lru']))"
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "PYTHONPATH": str(source)}
    command = [sys.executable, "-c", code]
    streams = {"capture_output": True, "text": True}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, **streams)
    assert done.returncode == 0, done.stderr
    assert "ratio to OPT" in done.stdout


def _readable_by_all(file: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in file.parents)
