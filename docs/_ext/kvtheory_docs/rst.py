"""Pieces of RST, and files that keep their time stamp."""

from __future__ import annotations

from pathlib import Path


def write_if_changed(file: Path, text: str) -> None:
    """Keep the time stamp of a page that stays the same, so that Sphinx does not read it again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def heading(text: str, line: str = "=") -> str:
    """A section title."""
    return f"{text}\n{line * len(text)}\n\n"


def cell(text: str) -> str:
    """Text with what RST would read as markup escaped."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("`", "\\`").replace("|", "\\|")


def list_table(header: list[str], rows: list[list[str]], widths: str = "auto") -> str:
    """A list-table; cells are RST."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [header, *rows]:
        lines += [f"   {'* -' if i == 0 else '  -'} {value}" for i, value in enumerate(row)]
    return "\n".join(lines) + "\n\n"
