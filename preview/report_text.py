"""The report for a terminal or a log: tables and plain sentences."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from preview.report import Report
from preview.report_cost import (
    GROUP_COLUMNS,
    WORKLOAD_COLUMNS,
    dollars,
    group_rows,
    price_lines,
    workload_rows,
)
from stacks.problem import Problem

_COLOURS = {"error": "red", "warning": "yellow", "notice": "cyan"}


def print_problems(console: Console, problems: Sequence[Problem]) -> None:
    """One problem a paragraph, worst first."""
    for problem in problems:
        console.print(Text(problem.full_text(), style=_COLOURS[problem.severity]))


def print_report(console: Console, report: Report, tree: Iterable[str] | None) -> None:
    """The whole plan; `tree` is None where errors kept the program from running."""
    console.print(Text(f"Stack {report.stack} -> {report.cluster}, namespace {report.namespace}", style="bold"))
    _section(console, "Problems")
    if report.problems:
        print_problems(console, report.problems)
    else:
        console.print("none")
    _section(console, "Fit (GiB on each GPU)")
    _print_table(console, fit_table(report))
    _lines(console, basis_lines(report), "dim")
    _section(console, "Placement")
    _print_table(console, placement_table(report))
    _lines(console, start_lines(report), "dim")
    _section(console, "Cost (US dollars per hour)")
    _print_table(console, _filled(GROUP_COLUMNS, group_rows(report.costs)))
    if report.costs.workloads:
        console.print()
        _print_table(console, _filled(WORKLOAD_COLUMNS, workload_rows(report.costs)))
        console.print()
    _lines(console, price_lines(report.costs), "dim")
    console.print(Text(total_line(report)))
    if lines := suggestion_lines(report):
        _section(console, "Suggestions")
        _lines(console, lines)
    if tree is not None:
        _section(console, "Resources")
        _lines(console, tree)
        for name, request in report.requests.items():
            _section(console, f"Ask {name}, once it is deployed")
            _lines(console, [request])


def fit_table(report: Report) -> Table:
    """Memory of one GPU by workload."""
    table = _table("workload", "GPUs", "total", "weights", "overhead", "KV cache", "free", "maxModelLen", "concurrency")
    for fit in report.fits:
        kv = number(fit.kv_gib) + (f" ({fit.kv_range_gib[0]}-{fit.kv_range_gib[1]})" if fit.kv_range_gib else "")
        table.add_row(
            fit.workload,
            fit.gpus,
            number(fit.total_gib),
            number(fit.weights_gib),
            number(fit.overhead_gib),
            kv,
            number(fit.free_gib),
            "unknown" if fit.max_model_len is None else f"{fit.max_model_len:,}",
            "unknown" if fit.concurrency is None else f"{fit.concurrency:g} x",
        )
    return table


def basis_lines(report: Report) -> list[str]:
    """What each estimate rests on."""
    return [f"{fit.workload}: {fit.model} on {fit.engine}; {fit.basis}" for fit in report.fits]


def start_lines(report: Report) -> list[str]:
    """What each start-up budget rests on."""
    return [f"{one.workload}: start computed from {one.startup_basis}" for one in report.placements]


def placement_table(report: Report) -> Table:
    """Pods, nodes, times."""
    table = _table("workload", "pods", "node group", "a pod requests", "nodes", "start", "update")
    for one in report.placements:
        table.add_row(
            one.workload,
            str(one.pods),
            f"{one.node_group} ({one.node})",
            one.requests,
            one.nodes,
            one.startup,
            one.update,
        )
    return table


def total_line(report: Report) -> str:
    """The stack's sum in one sentence."""
    total, own = report.totals, report.costs.own
    missing = f"; without {', '.join(total.unpriced)}, whose price is unknown" if total.unpriced else ""
    least, most = total.usd_per_hour.least, total.usd_per_hour.most
    idle = f" ({dollars(report.costs.idle_usd)} of it for idle GPUs)" if report.costs.idle_usd else ""
    costs = f"This stack's own nodes: {dollars(least)} at min, {dollars(own.now)} now{idle}, {dollars(most)} at max{missing}."
    return f"{costs} Instances only: no storage, traffic or control plane."


def suggestion_lines(report: Report) -> list[str]:
    """One suggestion a line, or why there are none; nothing where there is nothing to suggest."""
    found = [f"{name}: {one.text}" for name, several in report.suggestions.items() for one in several]
    return found or ([report.no_suggestions] if report.no_suggestions else [])


def number(value: float | None) -> str:
    """Two decimals, or unknown."""
    return "unknown" if value is None else f"{value:.2f}"


def _print_table(console: Console, table: Table) -> None:
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    _lines(console, [line.rstrip() for line in capture.get().splitlines()])


def _lines(console: Console, lines: Iterable[str], style: str = "") -> None:
    """Lines as they are. Where nothing is coloured they needn't go through rich, which takes longer than all the rest."""
    lines = list(lines)
    if not lines:
        return
    if style and console.is_terminal:
        console.print(Text("\n".join(lines), style=style))
    else:
        print("\n".join(lines), file=console.file)


def _section(console: Console, title: str) -> None:
    _lines(console, [""])
    _lines(console, [title], "bold")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _filled(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    table = _table(*columns)
    for row in rows:
        table.add_row(*row)
    return table
