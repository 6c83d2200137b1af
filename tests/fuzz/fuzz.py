"""Hand every reader damaged inputs: `make fuzz SECONDS=1800`, or `python tests/fuzz/fuzz.py --help`.

A reader may take an input, or refuse it with the package's own error; a traceback of any other kind, and an
answer that takes longer than `PATIENCE`, is a finding. It is cut down and kept in `--output`, and the exit
code is 1. Inputs that make a reader say something new are damaged further. With `--atheris` (`pip install
atheris`), libFuzzer chooses, by the branches that an input reaches; it asks for one process per reader.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 20
LARGEST_INPUT = 1 << 17
MEMORY = 12 << 30

if "--atheris" in sys.argv:
    import atheris

    watched = atheris.instrument_imports(include=["kvtheory", "proofs_check", "gpu_validation"])
else:
    watched = nullcontext()
with watched:
    from readers import Reader, readers


class TooSlow(BaseException):
    """An input that keeps a reader busy."""


@contextmanager
def patience() -> Iterator[None]:
    """Raise TooSlow after `PATIENCE` seconds of the process's own time."""

    def lose_it(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, lose_it)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def outcome(reader: Reader, file: Path, data: bytes) -> tuple[str, str]:
    """What a reader does with an input, in words without numbers; and, if it is a fault, the traceback."""
    file.write_bytes(data)
    try:
        with patience():
            reader.read(file)
    except reader.refuses as error:
        said = str(error)
        return re.sub(r"'.*'|\d+", "", said.replace(str(file), ""))[
            :80
        ], "" if said else "an error says nothing"
    except (Exception, TooSlow) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}", traceback.format_exc()
    return "taken", ""


@dataclass
class Hunt:
    """One reader under attack.

    Attributes:
        faults: what went wrong, and the smallest input that made it so.
        said: how often each outcome was seen.
    """

    name: str
    reader: Reader
    folder: Path
    faults: dict[str, bytes] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    @property
    def file(self) -> Path:
        return self.folder / f"input{self.reader.suffix}"

    def feed(self, data: bytes) -> bool:
        """Try one input; whether it made the reader say something new."""
        words, fault = outcome(self.reader, self.file, data)
        self.said[words] += 1
        if fault and words not in self.faults:
            self.traces[words] = fault
            self.faults[words] = data if words.startswith("TooSlow") else self.cut(words, data)
        return self.said[words] == 1

    def cut(self, words: str, data: bytes) -> bytes:
        """The input without whatever can go while the fault stays."""
        size, end = len(data), time.monotonic() + PATIENCE
        while size:
            at = 0
            while at < len(data) and time.monotonic() < end:
                shorter = data[:at] + data[at + size :]
                if outcome(self.reader, self.file, shorter)[0] == words:
                    data = shorter
                else:
                    at += size
            size //= 2
        return data

    def damaged(self, rng: random.Random, data: bytes) -> bytes:
        return rng.choice(self.reader.damages)(rng, data)

    def run(self, rng: random.Random, *, tries: int = 1 << 60, seconds: float = 1e9) -> None:
        """Damage the valid inputs, and what was answered in a new way, until time or tries are over."""
        for seed in self.reader.seeds:
            self.feed(seed)
            assert self.said["taken"], f"{self.name}: a valid input is refused: {self.said}"
        kept: list[bytes] = []
        end = time.monotonic() + seconds
        while tries > 0 and time.monotonic() < end:
            tries -= 1
            parent = rng.choice(kept if kept and rng.randrange(2) else self.reader.seeds)
            data = self.damaged(rng, parent)
            if len(data) <= LARGEST_INPUT and self.feed(data):
                kept.append(data)

    def report(self, output: Path) -> None:
        """One line; findings go to files."""
        tried = sum(self.said.values())
        print(
            f"{self.name:>16}: {tried} inputs, {self.said['taken']} taken, {len(self.said)} answers",
            flush=True,
        )
        for words, data in self.faults.items():
            name = f"{self.name.replace(' ', '_')}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
            output.mkdir(parents=True, exist_ok=True)
            (output / name).write_bytes(data)
            (output / f"{name}.txt").write_text(f"{words}\n\n{self.traces[words]}", encoding="utf-8")
            print(f"{'':>16}  FAULT {words}: {data[:200]!r} in {output / name}", flush=True)


def with_atheris(hunt: Hunt, seed: int, seconds: float, output: Path) -> None:
    """Let libFuzzer choose; it ends the process, so the report is given as it goes."""
    corpus = hunt.folder / "corpus"
    corpus.mkdir()
    for i, data in enumerate(hunt.reader.seeds):
        (corpus / str(i)).write_bytes(data)
    end = time.monotonic() + seconds

    def one(data: bytes) -> None:
        hunt.feed(data)
        if time.monotonic() > end:
            hunt.report(output)
            sys.stdout.flush()
            os._exit(1 if hunt.faults else 0)

    def mutate(data: bytes, largest: int, chosen: int) -> Any:
        rng = random.Random(chosen)
        return (atheris.Mutate(data, largest) if rng.randrange(4) == 0 else hunt.damaged(rng, data))[:largest]

    options = [
        f"-seed={seed + 1}",
        f"-max_len={LARGEST_INPUT}",
        "-verbosity=0",
        "-timeout=3600",
        "-rss_limit_mb=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """0: no reader fell over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one reader, by name")
    parser.add_argument("--atheris", action="store_true", help="let libFuzzer choose the inputs")
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="folder for findings")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as made:
        known = readers(Path(made))
        names = [asked.only] if asked.only else list(known)
        if asked.atheris and not asked.only:
            given = ["--atheris", f"--seconds={asked.seconds / len(names)}", f"--seed={asked.seed}"]
            command = [sys.executable, __file__, *given, f"--output={asked.output}"]
            return max(subprocess.run([*command, f"--only={name}"], check=False).returncode for name in names)
        failed = False
        for name in names:
            folder = Path(made, name)
            folder.mkdir()
            hunt = Hunt(name, known[name], folder)
            if asked.atheris:
                with_atheris(hunt, asked.seed, asked.seconds, asked.output)
            hunt.run(random.Random(f"{asked.seed} {name}"), seconds=asked.seconds / len(names))
            hunt.report(asked.output)
            failed |= bool(hunt.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
