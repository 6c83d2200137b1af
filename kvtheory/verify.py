"""`kvtheory verify`: finds who can check a file, by the schema it names.

Witnesses are checked here; certificates by the entry points of `kvtheory.verifiers`, named by schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kvtheory.errors import InputError
from kvtheory.offline.witness_file import LONGEST_LINE, SCHEMA, verify_witness
from kvtheory.registry import lookup, plugins


def schema_of(file: Path) -> str:
    """The schema a file names: in its first line, or in the file as one JSON object.

    Raises:
        InputError: if it names none.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            first = stream.readline(LONGEST_LINE)
            try:
                found = json.loads(first)
            except ValueError:
                found = json.loads(first + stream.read(LONGEST_LINE))
    except OSError as error:
        raise InputError.of(error, file) from None
    except (ValueError, RecursionError):
        raise InputError("neither a witness nor a certificate", file=str(file)) from None
    if not isinstance(found, dict) or not isinstance(found.get("schema"), str):
        raise InputError("neither a witness nor a certificate", file=str(file), field="schema")
    schema: str = found["schema"]
    return schema


def verify_file(file: Path) -> dict[str, Any]:
    """Check a proof; returns what was verified.

    Raises:
        InputError: if nobody knows its schema, or it is malformed.
        VerificationError: if it does not prove what it claims.
    """
    schema = schema_of(file)
    verifier = lookup({SCHEMA: verify_witness, **plugins("kvtheory.verifiers")}, schema, "schema")
    return {"schema": schema, **verifier(file)}
