"""`kvtheory verify` for certificates: the verifier's verdict as the package's errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kvtheory.errors import InputError, VerificationError
from proofs_check.verify import Malformed, Rejected, verify_file


def verify_certificate(path: Path) -> dict[str, Any]:
    """Check a certificate file; returns what was proved.

    Raises:
        InputError: if it is not a certificate.
        VerificationError: if it does not prove what it claims.
    """
    try:
        return verify_file(path)
    except Malformed as error:
        raise InputError(str(error), file=str(path)) from None
    except Rejected as error:
        raise VerificationError(f"{path}: {error}") from None
