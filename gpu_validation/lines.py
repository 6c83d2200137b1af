"""Lines of reStructuredText that every report has: titles, tables, versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CPU_RUN = "**This is a CPU run**: its times say nothing of a GPU."


def version_line(versions: dict[str, Any]) -> str:
    """What was at work."""
    return (
        f"vLLM {versions['vllm']}, torch {versions['torch']}, numba {versions['numba']}, "
        f"Python {versions['python']}."
    )


def plain(text: str) -> str:
    """Text that means nothing to reStructuredText."""
    return re.sub(r"([\\*_`|])", r"\\\1", text)


def heading(text: str) -> tuple[str, ...]:
    """Lines of a section's title."""
    return text, "-" * len(text), ""


def table_head(*names: str) -> Iterator[str]:
    """Lines that begin a table."""
    yield from (".. list-table::", "   :header-rows: 1", "")
    yield from table_row(*names)


def table_row(*values: str) -> Iterator[str]:
    """Lines of a row."""
    for i, value in enumerate(values):
        yield f"   {'*' if i == 0 else ' '} - {value}"
