"""The report as Markdown, for a pull request."""

from collections.abc import Iterable, Sequence

from preview.report import Report
from preview.report_cost import GROUP_COLUMNS, WORKLOAD_COLUMNS, group_rows, price_lines, workload_rows
from preview.report_text import number, suggestion_lines, total_line


def markdown(report: Report, tree: Iterable[str] | None) -> str:
    """The whole plan as GitHub-flavoured Markdown."""
    lines = [f"### Stack `{report.stack}` -> {report.cluster}, namespace `{report.namespace}`", "", "**Problems**", ""]
    lines += [f"- {_cell(one.full_text())}" for one in report.problems] or ["none"]
    lines += ["", "**Fit** (GiB on each GPU)", ""]
    lines += _rows(
        ("workload", "GPUs", "total", "weights", "overhead", "KV cache", "free", "maxModelLen", "concurrency", "basis"),
        [
            (
                fit.workload,
                fit.gpus,
                number(fit.total_gib),
                number(fit.weights_gib),
                number(fit.overhead_gib),
                number(fit.kv_gib),
                number(fit.free_gib),
                "unknown" if fit.max_model_len is None else f"{fit.max_model_len:,}",
                "unknown" if fit.concurrency is None else f"{fit.concurrency:g} x",
                fit.basis,
            )
            for fit in report.fits
        ],
    )
    lines += ["", "**Placement**", ""]
    lines += _rows(
        ("workload", "pods", "node group", "a pod requests", "nodes", "start", "update"),
        [
            (
                one.workload,
                str(one.pods),
                f"{one.node_group} ({one.node})",
                one.requests,
                one.nodes,
                one.startup,
                one.update,
            )
            for one in report.placements
        ],
    )
    lines += ["", "**Cost** (US dollars per hour)", ""]
    lines += _rows(GROUP_COLUMNS, group_rows(report.costs))
    if report.costs.workloads:
        lines += ["", *_rows(WORKLOAD_COLUMNS, workload_rows(report.costs))]
    lines += ["", *(f"- {_cell(line)}" for line in price_lines(report.costs)), ""]
    lines += [total_line(report)]
    if found := suggestion_lines(report):
        lines += ["", "**Suggestions**", "", *(f"- {_cell(line)}" for line in found)]
    if tree is not None:
        lines += ["", "<details><summary>Resources</summary>", "", "```", *tree, "```", "", "</details>"]
    return "\n".join(lines) + "\n"


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    table = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return table + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
