"""The atlas as files: JSON Lines, CSV, times apart, a picture; and what can be counted in it.

`atlas.jsonl` holds a row per instance, `atlas.csv` a line per instance and policy, `atlas.svg` the forests
with their ratios. None of them holds a time or anything else that differs between two runs, so that a hash
can check them; `atlas.seconds.csv` holds the times.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError
from kvtheory.ratio.atlas import RATIONAL, REFUSED, Atlas, Row
from kvtheory.report.atlas_picture import picture

INSTANCE = ("parents", "n", "k", "W", "w", "law", "harmonic")
RATIO = re.compile(r"[0-9]{1,1000}/[1-9][0-9]{0,999}")
FIGURE = ("ratio", "lower", "upper", "kind", "by", "verified", "states", "states_reduced")


def write_atlas(atlas: Atlas, folder: Path) -> list[Path]:
    """Write the four files; returns them.

    Raises:
        InputError: if one of them cannot be written.
    """
    files = [folder / f"atlas.{name}" for name in ("jsonl", "csv", "svg", "seconds.csv")]
    with atomic_write(files[0]) as stream:
        stream.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in atlas.rows)
    with atomic_write(files[1]) as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines(atlas.rows))
    with atomic_write(files[2]) as stream:
        stream.write(picture(atlas.rows))
    with atomic_write(files[3]) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("parents", "k", "policy", "seconds"))
        writer.writerows((_spaced(parents), k, name, s) for parents, k, name, s in atlas.seconds)
    return files


def lines(rows: Iterable[Row]) -> Iterable[Sequence[Any]]:
    """The CSV: a header, then a line for each instance and policy; unknown is empty."""
    yield (*INSTANCE, "policy", *FIGURE)
    for row in rows:
        instance = [_spaced(row["parents"]), *(row[field] for field in INSTANCE[1:])]
        for name, figure in row["policies"].items():
            cells = (figure[field] for field in FIGURE)
            yield (*instance, name, *(str(x).lower() if isinstance(x, bool) else x for x in cells))


def read_atlas(file: Path) -> list[Row]:
    """The rows of an `atlas.jsonl`.

    Raises:
        InputError: if it cannot be read or is none.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
    except OSError as error:
        raise InputError.of(error, file) from None
    except (ValueError, RecursionError):
        raise InputError("not JSON Lines", file=str(file)) from None
    if not rows:
        raise InputError("not an atlas", file=str(file))
    for number, row in enumerate(rows, start=1):
        if not _is_row(row) or row["policies"].keys() != rows[0]["policies"].keys():
            raise InputError("no row of an atlas, or of other policies", file=str(file), line=number)
    return rows


def _is_row(row: Any) -> bool:
    """Whether a row names an instance, and for every policy a figure with a ratio or none."""
    return (
        isinstance(row, dict)
        and row.keys() >= {*INSTANCE, "policies"}
        and isinstance(row["parents"], list)
        and all(type(x) is int for x in (*row["parents"], *(row[field] for field in ("n", "k", "W", "w"))))
        and all(_is_ratio(row[field]) for field in ("law", "harmonic"))
        and isinstance(row["policies"], dict)
        and all(
            isinstance(figure, dict)
            and figure.keys() >= set(FIGURE)
            and (figure["ratio"] in (None, "inf") or _is_ratio(figure["ratio"]))
            for figure in row["policies"].values()
        )
    )


def _is_ratio(text: Any) -> bool:
    return isinstance(text, str) and RATIO.fullmatch(text) is not None


def value(row: Row, name: str) -> Fraction | None:
    """A policy's exact, finite ratio in a row; None if it is infinite or unknown.

    Args:
        row: a row.
        name: a policy, or `law` or `harmonic`.
    """
    text = row[name] if name in ("law", "harmonic") else row["policies"][name]["ratio"]
    return None if text in (None, "inf") else Fraction(text)


@dataclass(frozen=True)
class Count:
    """One policy over all rows.

    Attributes:
        name: the policy.
        rows: instances.
        rational: exact ratios, infinite ones among them.
        infinite: infinite ones.
        verified: exact ratios whose certificate the verifier accepted.
        theorem: exact ratios by a theorem, which no certificate holds.
        law: ratios of exactly max(1, W - 1).
        harmonic: ratios of exactly H of that.
        above: ratios larger than max(1, W - 1), infinite ones among them.
        largest: the largest finite ratio; None if there is none.
    """

    name: str
    rows: int
    rational: int
    infinite: int
    verified: int
    theorem: int
    law: int
    harmonic: int
    above: int
    largest: Fraction | None


def counts(rows: Sequence[Row]) -> list[Count]:
    """Every policy of an atlas, in its order."""
    return [_count(rows, name) for name in rows[0]["policies"]]


def _count(rows: Sequence[Row], name: str) -> Count:
    figures = [row["policies"][name] for row in rows]
    finite = [(x, value(row, "law"), value(row, "harmonic")) for row in rows if (x := value(row, name))]
    infinite = sum(figure["ratio"] == "inf" for figure in figures)
    return Count(
        name=name,
        rows=len(rows),
        rational=sum(figure["kind"] == RATIONAL for figure in figures),
        infinite=infinite,
        verified=sum(figure["verified"] is True for figure in figures),
        theorem=sum(figure["by"] == "theorem" for figure in figures),
        law=sum(x == law for x, law, _ in finite),
        harmonic=sum(x == best for x, _, best in finite),
        above=infinite + sum(x > law for x, law, _ in finite if law),
        largest=max((x for x, _, _ in finite), default=None),
    )


def table(rows: Sequence[Row]) -> list[str]:
    """The counts as lines of text, the header first."""
    header = ("policy", "exact", "verified", "theorem", "= W-1", "> W-1", "infinite", "= H(W-1)", "largest")
    body = [
        (
            c.name,
            f"{c.rational} of {c.rows}",
            *map(str, (c.verified, c.theorem, c.law, c.above, c.infinite, c.harmonic)),
            str(c.largest or "-"),
        )
        for c in counts(rows)
    ]
    wide = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    padded = [[x.rjust(n) for x, n in zip(cells, wide, strict=True)] for cells in (header, *body)]
    return ["  ".join([cells[0].strip().ljust(wide[0]), *cells[1:]]) for cells in padded]


def complete(rows: Iterable[Row]) -> bool:
    """Whether no ratio was left between two bounds or cut off by a limit; a refused policy is complete."""
    return all(figure["kind"] in (RATIONAL, REFUSED) for row in rows for figure in row["policies"].values())


def named(row: Row) -> str:
    """An instance in the words of `kvtheory exact`."""
    return f"--tree {','.join(map(str, row['parents']))} --capacity {row['k']}"


def _spaced(parents: Iterable[int]) -> str:
    return " ".join(map(str, parents))
