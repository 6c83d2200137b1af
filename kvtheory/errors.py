"""The ways a command can fail, each with its exit code."""

from __future__ import annotations


class KVTheoryError(Exception):
    """Base of every error the command line turns into one line and an exit code."""

    exit_code = 1


class InputError(KVTheoryError, ValueError):
    """The input is wrong; the message names file, line and field where there are any."""

    exit_code = 2

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        where = [file] if file else []
        where += [f"line {line}"] if line is not None else []
        where += [f"field '{field}'"] if field else []
        super().__init__(": ".join([", ".join(where), message] if where else [message]))
        self.file, self.line, self.field = file, line, field

    @classmethod
    def of(cls, error: OSError, file: object) -> InputError:
        """What the system says of a file that cannot be read or made, as one line like the others."""
        reason = error.strerror or type(error).__name__
        return cls(reason[:1].lower() + reason[1:], file=str(file))


class VerificationError(KVTheoryError):
    """A witness or certificate does not prove what it claims."""

    exit_code = 1


class LimitError(KVTheoryError):
    """A budget ran out before there was anything to report."""

    exit_code = 3


class PolicyError(KVTheoryError):
    """A policy broke its contract: it left the engine without a victim, or declared a false trait."""

    exit_code = 1


class RouterError(KVTheoryError):
    """A router broke its contract: it chose no worker that is up, or looked at what it cannot see."""

    exit_code = 1
