"""Checks a certificate of a competitive ratio, from the rules alone: `python -m proofs_check.verify F`.

This file and the three it reads import the standard library and nothing else, and are meant to be read at one
sitting: `verify_rules.py` has the rules of the cache and of OPT, `verify_policies.py` those of six policies,
`verify_best.py` what proves the best ratio of any algorithm. Every transition is derived here, none believed.

- Lower bound: for a policy, a cycle of requests on which it pays rho times what OPT pays (something, while
  OPT pays nothing, for rho = inf). For the best deterministic ratio, an adversary's answer to every
  algorithm; for the best randomised one, a random request sequence. A best ratio of 1 needs none: nobody pays
  less than OPT.
- Upper bound: one potential per position, such that every request costs at most rho times what OPT's work
  function grows by, plus what the potential falls by.

`claim.kind` says which of them is there: exact (both), lower, upper. The digest catches accidents alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from proofs_check.verify_best import BEST
from proofs_check.verify_policies import POLICIES, PolicyProof
from proofs_check.verify_rules import Malformed, Rejected, rational, read_tree, require_keys

__all__ = ["BEST", "POLICIES", "Malformed", "Rejected", "digest", "load", "verify", "verify_file"]

SCHEMA = "kvtheory-certificate/1"
KEYS = {"schema", "instance", "policy", "automaton", "claim", "lower", "upper", "digest"}


def digest(certificate: dict[str, Any]) -> str:
    """SHA-256 of the certificate without its digest, keys sorted, no spaces."""
    rest = {key: value for key, value in certificate.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_claim(claim: Any, lower: Any, upper: Any, *, best: bool) -> Fraction | None:
    """The ratio claimed, None for an infinite one; the parts that prove it are there, and no others."""
    require_keys(claim, {"ratio", "kind"}, "claim")
    ratio = None if claim["ratio"] == "inf" else rational(claim["ratio"], "claim.ratio")
    if ratio is not None and ratio < 1:
        raise Malformed("claim.ratio: is less than 1")
    needs_lower = not best or ratio != 1
    parts = {"exact": (needs_lower, ratio is not None), "lower": (True, False), "upper": (False, True)}
    if not isinstance(claim["kind"], str) or claim["kind"] not in parts:
        raise Malformed("claim.kind: is none of exact, lower, upper")
    if (lower is not None, upper is not None) != parts[claim["kind"]]:
        raise Malformed("lower, upper: are there exactly where the claim needs them")
    if ratio is None and (claim["kind"] != "exact" or best):
        raise Malformed("claim: an infinite ratio is exact, and no best one")
    return ratio


def verify(certificate: Any) -> dict[str, Any]:
    """Check a certificate; returns what was proved, or raises Malformed or Rejected."""
    require_keys(certificate, KEYS, "certificate")
    if certificate["schema"] != SCHEMA:
        raise Malformed(f"schema: is not {SCHEMA}")
    tree, name, table = read_tree(certificate["instance"]), certificate["policy"], certificate["automaton"]
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_-]{0,63}", name):
        raise Malformed("policy: is no name")
    if (table is None) != (name in POLICIES or name in BEST):
        raise Malformed("automaton: is there exactly for policies that this verifier does not know itself")
    claim, lower, upper = certificate["claim"], certificate["lower"], certificate["upper"]
    ratio = read_claim(claim, lower, upper, best=name in BEST)
    proof: Any = (
        BEST[name](tree, lower, upper) if name in BEST else PolicyProof(tree, name, table, lower, upper)
    )
    if certificate["digest"] != digest(certificate):
        raise Rejected("digest: the certificate was altered")
    return {
        "policy": name if table is None else f"the automaton given for {name}",
        "claim": f"{claim['kind']} {claim['ratio']}",
        **proof.check(ratio),
    }


def load(text: str) -> Any:
    """Parse JSON strictly: no floats, no constants, no key twice."""

    def refuse(what: str) -> Any:
        raise Malformed(f"holds {what[:40]}: numbers are integers, rationals are strings")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Malformed("an object has a key twice")
        return dict(pairs)

    try:
        return json.loads(text, parse_float=refuse, parse_constant=refuse, object_pairs_hook=unique)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("is not JSON") from error


def verify_file(path: Path) -> dict[str, Any]:
    """Check a certificate file; raises as :func:`verify`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("cannot be read as UTF-8 text") from error
    try:
        return verify(load(text))
    except (Malformed, Rejected):
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise Malformed("holds numbers that are too large to check") from error


def main(arguments: list[str]) -> int:
    """0: everything holds; 1: rejected; 2: not a certificate."""
    if len(arguments) != 1:
        print("usage: python -m proofs_check.verify FILE", file=sys.stderr)
        return 2
    try:
        print(json.dumps(verify_file(Path(arguments[0]))))
    except Malformed as error:
        print(f"malformed: {error}", file=sys.stderr)
        return 2
    except Rejected as error:
        print(f"rejected: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
