"""The atlas: every small tree, every capacity, and the exact competitive ratio of every policy on it.

An instance is a forest below the free root, up to isomorphism, and a capacity k with height <= k < n. The
others add nothing: where k >= n everything fits and every ratio is 1, and where k is below the height, deeper
nodes can never be requested and the instance is that of a smaller forest (:func:`find` looks it up).

A cell is one instance and one policy; finished ones are kept by `resume`, see :mod:`kvtheory.cells`. A
certificate is made of every ratio that has one, written to a file, and checked by the verifier that is
installed as an entry point of `kvtheory.verifiers`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvtheory import __version__
from kvtheory.atomic import atomic_write
from kvtheory.cells import finish_cells
from kvtheory.errors import InputError, LimitError, VerificationError
from kvtheory.model import PrefixTree
from kvtheory.ratio.atlas_forests import Parents, canonical, forests
from kvtheory.ratio.atlas_theorems import Bounds, theorem
from kvtheory.ratio.exact import BEST, Played, Solved, solve_exact
from kvtheory.ratio.game import Game, fraction
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies, policy_with_columns
from kvtheory.width import harmonic, width

RATIONAL, NUMERIC, REFUSED, LIMIT = "rational", "numeric", "refused", "limit"
STATES, BELIEFS = 200_000, 3000
CERTIFY = 60_000
FIELDS = ("ratio", "lower", "upper", "prefix", "cycle", "states", "states_reduced")

Row = dict[str, Any]
Figure = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One policy on one instance: what one process computes.

    Attributes:
        parents: of nodes 1..n; 0 is the root.
        capacity: nodes the cache holds.
        policy: its name, or that of a best possible algorithm.
        budget: most states to explore; None for 200,000, or 3,000 distributions of a policy that draws.
        certify: most positions of a certificate that is made and verified.
    """

    parents: Parents
    capacity: int
    policy: str
    budget: int | None
    certify: int

    def key(self) -> str:
        """Name of the cell's file: a hash of the cell, its policy's source and this version."""
        known = policies()
        source = inspect.getsource(known[self.policy]) if self.policy in known else ""
        text = json.dumps([__version__, asdict(self), source], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Atlas:
    """What was computed.

    Attributes:
        rows: one for each instance, in the order of :func:`instances`.
        seconds: time of each cell: parents, capacity, policy, seconds.
        computed, kept: cells.
    """

    rows: list[Row]
    seconds: list[tuple[Parents, int, str, float]]
    computed: int
    kept: int


def instances(nodes: int) -> Iterator[tuple[Parents, int]]:
    """Every forest of 1 to `nodes` nodes with every capacity from its height to one below its size.

    Raises:
        InputError: if there would be none, or too many.
    """
    if nodes < 2:
        raise InputError(f"{nodes}: with fewer than 2 nodes everything fits", field="nodes")
    for n in range(1, nodes + 1):
        for parents in forests(n):
            for capacity in range(PrefixTree.from_parents(parents).height, n):
                yield parents, capacity


def find(rows: Iterable[Row], parents: Sequence[int], capacity: int) -> Row | None:
    """The row of any tree and capacity; None where everything that can be requested fits.

    Args:
        rows: an atlas that is large enough.
        parents: of nodes 1..n in any order that puts parents first.
        capacity: nodes the cache holds.

    Raises:
        KeyError: if the atlas has no such row.
    """
    wanted = canonical(parents, capacity)
    if len(wanted) <= capacity:
        return None
    for row in rows:
        if (tuple(row["parents"]), row["k"]) == (wanted, capacity):
            return row
    raise KeyError(f"no row for {wanted} with k = {capacity}")


def select(names: str) -> list[str]:
    """Policies, and best possible algorithms, of a comma-separated list; `all` for every one.

    Raises:
        InputError: for an unknown or repeated name.
    """
    known: dict[str, Any] = {**dict(sorted(policies().items())), **BEST}
    if names.strip() == "all":
        return list(known)
    wanted = [part.strip() for part in names.split(",")]
    for name in wanted:
        if name not in known:
            policy_with_columns(name, known)
        if wanted.count(name) > 1:
            raise InputError(f"'{name}' is named twice", field="policies")
    return wanted


def make_atlas(
    nodes: int,
    names: Sequence[str],
    folder: Path,
    *,
    budget: int | None = None,
    certify: int = CERTIFY,
    jobs: int = -1,
    resume: bool = False,
    progress: Callable[[str], None] = lambda stage: None,
) -> Atlas:
    """Compute every cell, with joblib, and put the rows together.

    Args:
        nodes: the largest number of nodes.
        names: policies and best possible algorithms.
        folder: where finished cells are kept.
        budget: most states of a cell; None for the defaults of :class:`Cell`.
        certify: most positions of a certificate; 0 for none.
        jobs: processes; -1 for all cores.
        resume: keep cells that an earlier run finished.
        progress: told how many cells are done.

    Raises:
        InputError: if an argument is wrong, or the folder holds cells and `resume` was not asked for.
        VerificationError: if a certificate that was made is rejected.
    """
    if budget is not None and budget < 1:
        raise InputError(f"{budget} states: the budget is not positive", field="budget")
    if certify < 0:
        raise InputError(f"{certify} positions: less than none", field="certify")
    cells = [Cell(parents, k, name, budget, certify) for parents, k in instances(nodes) for name in names]
    files, computed = finish_cells(
        folder, cells[::-1], compute_cell, jobs=jobs, resume=resume, progress=progress
    )
    rows: list[Row] = []
    seconds = []
    for cell, file in zip(cells, files[::-1], strict=True):
        found = json.loads(file.read_text(encoding="utf-8"))
        seconds.append((cell.parents, cell.capacity, cell.policy, float(found.pop("seconds"))))
        if not rows or (rows[-1]["parents"], rows[-1]["k"]) != (list(cell.parents), cell.capacity):
            rows.append(head(cell.parents, cell.capacity))
        rows[-1]["policies"][cell.policy] = found
    return Atlas(rows, seconds, computed, len(cells) - computed)


def head(parents: Parents, capacity: int) -> Row:
    """A row without its policies: the instance, its widths and what the theory says."""
    widths = width(PrefixTree.from_parents(parents), capacity)
    law = max(1, widths.W - 1)
    return {
        "parents": list(parents),
        "n": len(parents),
        "k": capacity,
        "W": widths.W,
        "w": widths.w,
        "law": fraction(Fraction(law)),
        "harmonic": fraction(harmonic(law)),
        "policies": {},
    }


def compute_cell(cell: Cell, file: Path) -> None:
    """Compute one cell and write it."""
    start = time.perf_counter()
    instance = Instance.of(PrefixTree.from_parents(cell.parents), cell.capacity)
    found = figure(instance, cell.policy, cell.budget, cell.certify)
    found["seconds"] = round(time.perf_counter() - start, 3)
    with atomic_write(file, "w") as stream:
        stream.write(json.dumps(found) + "\n")


def figure(instance: Instance, name: str, budget: int | None = None, certify: int = CERTIFY) -> Figure:
    """What is known of one policy's ratio on one instance, as a row holds it.

    Raises:
        VerificationError: if its certificate is rejected, or a theorem and the game contradict each other.
    """
    policy = policies().get(name)
    known = theorem(instance, name)
    drawn = policy is not None and policy.randomised()
    try:
        if policy is not None and known is not None:
            return _proved(instance, known, known.explored(instance, policy), certify)
        solved = solve_exact(instance, name, budget or (BELIEFS if drawn else STATES))
        found = solved.result().to_json()
    except InputError as error:
        return _unknown(REFUSED, str(error))
    except LimitError as error:
        return _unknown(LIMIT, str(error))
    verified, reason = _verified(solved, found, certify)
    by = _settled_by(solved.game) if isinstance(solved, Played) else "minimax"
    return _figure(found, by, verified, reason)


def _settled_by(game: Game) -> str:
    """Whether the explored game settles the ratio, or only a theorem that caps it."""
    explored = game.complete or game.lower is None or game.bound is not None
    return "game" if explored or game.lower != game.result().upper else "theorem"


def _figure(found: dict[str, Any], by: str, verified: bool | None, reason: str | None) -> Figure:
    kind = NUMERIC if found["ratio"] is None else RATIONAL
    proof = {"kind": kind, "by": by, "verified": verified, "reason": reason}
    return {**{field: found[field] for field in FIELDS}, **proof}


def _unknown(kind: str, reason: str) -> Figure:
    return {**dict.fromkeys(FIELDS), "kind": kind, "by": None, "verified": None, "reason": reason}


def _proved(instance: Instance, known: Bounds, game: Game, certify: int) -> Figure:
    """A ratio that a theorem gives; what was explored of the game must not contradict it."""
    found = game.result().to_json()
    if game.complete and game.lower == known.ratio:
        verified, reason = _verified(Played(game), found, certify)
        return _figure(found, "game", verified, reason)
    bound = known.checked_upper(instance, game)
    if game.complete or game.lower is None or not game.lower <= known.ratio <= bound:
        raise VerificationError(f"{known.where}: {known.ratio} against {game.lower}..{bound} of the game")
    found |= dict.fromkeys(("ratio", "lower", "upper"), fraction(known.ratio))
    found |= {"prefix": None, "cycle": None}  # the ratio is a limit
    return _figure(found, "theorem", None, known.where)


def _verified(solved: Solved, found: dict[str, Any], certify: int) -> tuple[bool | None, str | None]:
    """Whether the installed verifier accepts an exact certificate; if there is none, why."""
    from kvtheory.ratio.certificate import write_certificate
    from kvtheory.verify import verify_file

    if found["ratio"] is None:
        return None, "the bounds do not meet"
    if found["states"] is None:
        return None, "the budget cut its states"
    if found["states"] > certify:
        return None, f"more than {certify:,} positions"
    try:
        certificate = solved.certificate()
    except (InputError, LimitError) as error:
        return None, str(error)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.json"
        write_certificate(file, certificate)
        claim = verify_file(file)["claim"]
    if claim != f"exact {found['ratio']}":
        return None, f"the certificate proves only {claim}"
    return True, None
