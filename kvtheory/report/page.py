"""One self-contained HTML page: the table, the curves, and the exact command that made it."""

from __future__ import annotations

import html
from pathlib import Path

from kvtheory import __version__
from kvtheory.atomic import atomic_write
from kvtheory.ratio.empirical import RatioReport
from kvtheory.report.curves import render
from kvtheory.report.table import COLUMNS, POLICY, heading, notes, rows

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
h1 { font-size: 1.4rem } pre { background: #f4f4f4; padding: .7rem; white-space: pre-wrap }
figure { margin: 1.5rem 0 } figure svg { width: 100%; height: auto }
div.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .7rem; white-space: nowrap } th { border-bottom: 2px solid #888 }
td:nth-child(4), th:nth-child(4) { text-align: left }
tr.opt td { border-top: 1px solid #ccc; font-weight: 600 }
footer, li { color: #555 }
"""


def page(report: RatioReport, command: str) -> str:
    """The page's text; everything it needs is in it."""
    svg = render(report, "svg").decode()
    picture = svg[svg.index("<svg") :]
    header = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    body = "\n".join(_row(line) for line in rows(report))
    remarks = "\n".join(f"<li>{html.escape(note)}</li>" for note in notes(report))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>kvtheory ratio: {html.escape(Path(report.source).name)}</title><style>{STYLE}</style></head><body>
<h1>How far is each eviction policy from optimal?</h1>
<p>{html.escape(heading(report))}.</p>
<pre>{html.escape(command)}</pre>
<figure>{picture}<figcaption>Hit rate against capacity.</figcaption></figure>
<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>
{body}
</tbody></table></div>
<ul>
{remarks}
</ul>
<footer>kvtheory {__version__}</footer></body></html>
"""


def _row(line: tuple[str, ...]) -> str:
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in line)
    return f'<tr class="opt">{cells}</tr>' if line[POLICY] == "OPT" else f"<tr>{cells}</tr>"


def write_page(report: RatioReport, path: Path, command: str) -> None:
    """Write the page, whole or not at all."""
    with atomic_write(path, "w") as stream:
        stream.write(page(report, command))
