"""Build what is committed, look into it, install it with nothing beside it, and use it.

    make dist-check            (or: python tests/release/dist_check.py; needs the extra `release`)

Leaves the sdist and the wheel in build/dist, and prints what `pip install kvtheory` downloads and takes.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "build" / "dist"
MOST = 350
"""Megabytes that may be downloaded."""
PACKAGES = ("kvtheory", "adversaries", "proofs_check", "gpu_validation")
LARGEST = 200_000

USE = (
    "kvtheory policies",
    "kvtheory routers",
    "kvtheory workloads",
    "kvtheory workload gsp:groups=3,prompts=4,block=256,seed=1 -o trace.jsonl",
    "kvtheory ratio trace.jsonl --capacity 10% --policies lru,rlt,arc --plot a.svg --html a.html",
    "kvtheory opt trace.jsonl --capacity 10% --witness w.jsonl",
    "kvtheory verify w.jsonl",
    "kvtheory opt cyclic:prompts=5 --capacity 3 --method ilp --cost depth --witness v.jsonl",
    "kvtheory verify v.jsonl",
    "kvtheory exact --tree star:4 --capacity 3 --policy rlt --certificate c.json",
    "kvtheory verify c.json",
    "kvtheory search --policy lru --tree star:4 --capacity 3 --evaluations 200 -o worst.jsonl",
    "kvtheory route trace.jsonl --workers 2 --capacity 10% --routers lbgr,round_robin --policies lru",
    "kvtheory atlas --nodes 3 --policies lru --jobs 1 -o atlas",
    "python -m proofs_check belady_on_trees width_law --quick",
)
"""Must end with 0."""

REFUSED = {
    "kvtheory search --policy lru --tree star:4 --capacity 3 --method learned -o t.jsonl": "kvtheory[torch]",
    "kvtheory sweep plan.toml --backend dask": "kvtheory[cluster]",
    "kvtheory sweep plan.toml --backend ray": "kvtheory[cluster]",
    "python -m gpu_validation run --quick -o run.json": "vllm",
    "python -c 'import kvtheory.testing.strategies'": "hypothesis",
}
"""What an extra is missing for, and what must be named; all but the import end with 2 and one line."""
PLAN = 'output = "out"\nsources = ["cyclic"]\ncapacity = "4"\npolicies = "lru"\n'


def call(*command: str | Path, where: Path, **options: object) -> str:
    """Run, and stop here if it fails; its output."""
    done = subprocess.run(
        [*map(str, command)], cwd=where, capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload]
    if done.returncode:
        said = f"ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        sys.exit(f"dist_check: {' '.join(map(str, command))} {said}")
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist of what is committed, and the wheel that it builds, equal to that of the tree itself."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    tree = folder / "tree"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tree, filter="data")
    DIST.mkdir(parents=True, exist_ok=True)
    for old in DIST.iterdir():
        old.unlink()
    call(sys.executable, "-m", "build", "--outdir", DIST, tree, where=folder)  # the wheel from the sdist
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "direct", tree, where=folder)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    (direct,) = (folder / "direct").glob("*.whl")
    require(entries(wheel) == entries(direct), "the sdist builds another wheel than the tree")
    call(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, where=folder)
    return sdist, wheel


def entries(wheel: Path) -> dict[str, int]:
    """Checksum of every file but the list of them."""
    with zipfile.ZipFile(wheel) as found:
        return {info.filename: info.CRC for info in found.infolist() if not info.filename.endswith("RECORD")}


def require(holds: bool, otherwise: str) -> None:
    """Stop unless it holds."""
    if not holds:
        sys.exit(f"dist_check: {otherwise}")


def look_into(sdist: Path, wheel: Path) -> None:
    """The wheel holds all of the packages and their data, and nothing else; the sdist no tests either."""
    with zipfile.ZipFile(wheel) as found:
        sizes = {info.filename: info.file_size for info in found.infolist()}
    tracked = call("git", "ls-tree", "-r", "--name-only", "HEAD", *PACKAGES, where=ROOT).split()
    wanted = {file for file in tracked if file.endswith((".py", "py.typed", ".schema.json"))}
    inside = {name for name in sizes if ".dist-info/" not in name}
    require(inside == wanted, f"the wheel differs from the tree in {sorted(inside ^ wanted)[:5]}")
    require({f"{name}/py.typed" for name in PACKAGES} <= inside, "a package lacks py.typed")
    large = {name for name, size in sizes.items() if size > LARGEST}
    require(not large, f"large files in the wheel: {sorted(large)}")
    with tarfile.open(sdist) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    strange = [name for name in names if re.match(r"(tests|docs|\.ci)/|.*__pycache__", name)]
    require(not strange, f"in the sdist: {strange[:5]}")
    require({"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff"} <= set(names), "the sdist lacks a file")
    kinds = ", ".join(f"{sum(f.endswith(end) for f in inside)} {end}" for end in (".py", ".schema.json"))
    for file, what in ((wheel, f" ({kinds})"), (sdist, "")):
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB{what}")


def size(folder: Path) -> float:
    """Megabytes of its files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def install(folder: Path, wheel: Path) -> Path:
    """A bare environment with the wheel in it; prints what it took, and returns its folder of programs."""
    place = folder / "bare"
    venv.create(place, with_pip=True)
    pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-q"]
    start = time.perf_counter()
    call(*pip, "download", "--dest", folder / "wheels", wheel, where=folder)
    packages = next((place / "lib").iterdir()) / "site-packages"
    before, count = size(packages), len(list((folder / "wheels").iterdir()))
    call(*pip, "install", "--no-index", "--find-links", folder / "wheels", "kvtheory", where=folder)
    call(*pip, "check", where=folder)
    took, down = time.perf_counter() - start, size(folder / "wheels")
    print(f"pip install kvtheory: {count} packages, {down:.0f} MB downloaded (at most {MOST}), "
          f"{size(packages) - before:.0f} MB installed, {took:.0f} s")  # fmt: skip
    require(down < MOST, f"{down:.0f} MB are downloaded")
    return place / "bin"


def use(folder: Path, programs: Path) -> None:
    """Every command, in an empty home; and what is missing is said in a line."""
    home = folder / "home"
    home.mkdir()
    (home / "plan.toml").write_text(PLAN, encoding="utf-8")
    environment = {"HOME": str(home), "PATH": f"{programs}{os.pathsep}/usr/bin:/bin"}
    for line in USE:
        start = time.perf_counter()
        call("/bin/sh", "-c", line, where=home, env=environment)
        print(f"  {time.perf_counter() - start:5.1f} s  {line}", flush=True)
    for line, named in REFUSED.items():
        done = subprocess.run(
            line, shell=True, cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        said = done.stderr.strip().rpartition("\n")[2] if "import" in line else done.stderr.strip()
        require(named in said, f"{line}: does not name {named}: {done.stderr}")
        require(
            "import" in line or (done.returncode == 2 and "\n" not in said),
            f"{line}: {done.returncode}: {done.stderr}",
        )
        print(f"  refused: {said}")
    print(f"caches left in an empty home: {size(home):.1f} MB")


def main() -> int:
    """All of it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = build(folder)
        look_into(sdist, wheel)
        use(folder, install(folder, wheel))
    print(f"built and checked: {DIST}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
