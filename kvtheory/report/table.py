"""The ratio report as a table for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kvtheory.ratio.empirical import CapacityRun, PolicyRun, RatioReport

COLUMNS = ("capacity", "W", "W_R", "policy", "misses", "hit rate", "ratio to OPT", "95 % interval", "bound")
POLICY = COLUMNS.index("policy")
GAP, BASE = "gap closed", "lru"
PIPE_WIDTH = 120


def console(*, stderr: bool = False) -> Console:
    """A console that never truncates a table just because it is piped."""
    screen = Console(stderr=stderr, highlight=False)
    return screen if screen.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def rows(report: RatioReport, *, league: bool = False) -> list[tuple[str, ...]]:
    """One tuple of cells per line, in the order of `COLUMNS`; OPT first at every capacity.

    A `league` goes from fewest misses to most, and each line ends with the share of the gap between leaf-LRU
    and OPT that the policy closes.
    """
    lines: list[tuple[str, ...]] = []
    for run in report.runs:
        width = str(run.widths.W) if run.widths.exact else f"{run.widths.W_lower}..{run.widths.W}"
        own = str(run.requestable.low)
        if not run.requestable.exact:
            own += f"..{run.requestable.high}"
        opt = ("OPT", f"{run.opt_misses:,}", _rate(run.opt_hit_rate), "1", "", "")
        lines.append((f"{run.capacity:,}", width, own, *opt, *([""] if league else ())))
        if league:
            lines += [(*_policy_row(policy), gap) for policy, gap in _placed(run)]
        else:
            lines += [_policy_row(policy) for policy in run.policies]
    return lines


def _placed(run: CapacityRun) -> list[tuple[PolicyRun, str]]:
    """Policies from fewest misses to most, with what each closes of the gap between leaf-LRU and OPT."""
    placed = sorted(run.policies, key=lambda policy: (policy.misses, policy.name))
    gap = next((policy.misses for policy in placed if policy.name == BASE), run.opt_misses) - run.opt_misses
    return [
        (policy, f"{100 * (1 - (policy.misses - run.opt_misses) / gap):.1f} %" if gap > 0 else "-")
        for policy in placed
    ]


def _policy_row(policy: PolicyRun) -> tuple[str, ...]:
    misses = f"{policy.misses:,}" if isinstance(policy.misses, int) else f"{policy.misses:,.1f}"
    ratio = f"{policy.ratio:.4f}" if policy.ratio is not None else "-"
    interval = f"{policy.ci95[0]:.4f} .. {policy.ci95[1]:.4f}" if policy.ci95 else ""
    bound = f"{policy.bound:.6g}" if policy.bound is not None else "-"
    return ("", "", "", policy.name, misses, _rate(policy.hit_rate), ratio, interval, bound)


def _rate(value: float | None) -> str:
    return f"{100 * value:.2f} %" if value is not None else "-"


def heading(report: RatioReport) -> str:
    """What was replayed, in one line."""
    ceiling = _rate(report.ceiling_hit_rate)
    return (
        f"{report.source}: {report.requests:,} requests, {report.accesses:,} block accesses, "
        f"{report.nodes:,} distinct blocks of {report.block_tokens:,} tokens; ceiling {ceiling}"
    )


def notes(report: RatioReport) -> list[str]:
    """What a reader of the numbers must know, one sentence each."""
    said = [
        f"capacity {run.capacity:,} is exceeded by {run.cut_requests:,} of the requests; their rest is missed"
        for run in report.runs
        if run.cut_requests
    ]
    if report.warmup:
        said.append(
            f"counted after {report.warmup:.0%} of the requests; OPT plans for the whole trace, so a policy "
            "may beat it in this window"
        )
    if report.measure == "tokens":
        said.append("counted in tokens; OPT minimises missed blocks")
    if report.bypass:
        said.append("OPT may drop what it has just served (bypass)")
    if not (report.warmup or report.measure == "tokens" or report.bypass):
        said.append("bound: proved for every request sequence on this tree; '-' where none is proved")
    return said


def print_report(report: RatioReport, screen: Console, *, league: bool = False) -> None:
    """Print heading, table and notes; `league` as in :func:`rows`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (*COLUMNS, *([GAP] if league else ())):
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    lines = rows(report, league=league)
    for i, line in enumerate(lines):
        table.add_row(
            *line, style="green" if line[POLICY] == "OPT" else "", end_section=_last_of_run(lines, i)
        )
    screen.print(Text(heading(report)))
    screen.print(table)
    said = notes(report)
    if league:
        said.append(f"{GAP}: share of the misses of leaf-LRU above OPT's that the policy avoids")
    for note in said:
        screen.print(Text(note, style="dim"))


def _last_of_run(lines: list[tuple[str, ...]], i: int) -> bool:
    return i + 1 < len(lines) and lines[i + 1][POLICY] == "OPT"
