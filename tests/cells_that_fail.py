"""Cells that take their time or kill their worker, and a command that computes them: for test_backends.py."""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kvtheory.cells import finish_cells
from kvtheory.errors import KVTheoryError


@dataclass(frozen=True)
class Cell:
    number: int

    def key(self):
        return f"cell{self.number}"


def compute(cell, file):
    """Half a second by a process that leaves its name; cell 1 kills it while there is a file `die`."""
    folder = file.parent.parent
    (folder / "pids").mkdir(exist_ok=True)
    (folder / "pids" / str(os.getpid())).touch()
    if cell.number == 1 and (folder / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    file.write_text(json.dumps({"number": cell.number}))


if __name__ == "__main__":
    import cells_that_fail as importable  # what __main__ defines would be sent whole, not by name

    folder, backend, address = sys.argv[1:]
    cells = [importable.Cell(number) for number in range(4)]
    try:
        _, computed = finish_cells(
            Path(folder) / "cells",
            cells,
            importable.compute,
            jobs=-1 if address else 2,
            resume=True,
            progress=lambda stage: print(stage, flush=True),
            backend=backend,
            address=address if ":" in address else None,
        )
        print(f"computed {computed}")
    except KVTheoryError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
