"""The command line; `llm-serving --help` lists the commands. Exit codes: 0 fine, 1 problems in the stack, 2 wrong usage."""

import gc
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from status.command import status

if TYPE_CHECKING:
    from components.resolved import Stack
    from preview.run import Run
    from stacks.loader import Loaded
    from stacks.problem import Problem

PROJECT = "llm-serving"

app = typer.Typer(
    name=PROJECT,
    help="Checks and previews a stack without the Pulumi CLI, a cluster, an AWS account or a GPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(status)


class Format(StrEnum):
    """How a report is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


class PlainFormat(StrEnum):
    """How problems or rules are printed."""

    text = "text"
    json = "json"


StackName = Annotated[
    str, typer.Argument(metavar="STACK", help="A stack's name (dev for Pulumi.dev.yaml) or its file.")
]
Directory = Annotated[Path, typer.Option("--cwd", "-C", help="Folder of the project.", file_okay=False, exists=True)]


@app.command()
def check(
    stack: StackName,
    cwd: Directory = Path(),
    format_: Annotated[PlainFormat, typer.Option("--format", help="text or json")] = PlainFormat.text,
) -> None:
    """Check a stack file and everything in it. Nothing is created and nothing is asked over a network."""
    from preview import output

    _, resolved, problems = _checked(stack, cwd)
    errors = sum(one.severity == "error" for one in problems)
    if format_ is PlainFormat.json:
        output.print_json({"problems": [one.as_json() for one in problems]})
    else:
        for one in problems:
            print(one.full_text())
        workloads = f", {_count(len(resolved.workloads), 'workload')}" if resolved else ""
        print(
            f"{stack}: {_count(errors, 'error')}, {_count(len(problems) - errors, 'warning or notice', 'warnings or notices')}{workloads}"
        )
    _exit(errors)


@app.command()
def plan(
    stack: StackName,
    cwd: Directory = Path(),
    format_: Annotated[Format, typer.Option("--format", help="text, json or markdown")] = Format.text,
) -> None:
    """Print what a stack would create, whether it fits, where it runs and what it costs."""
    from preview import output

    loaded, resolved, problems = _checked(stack, cwd)
    if resolved is None:
        output.print_problems(problems, format_)
        raise typer.Exit(1)
    from preflight.suggestions import left_out, suggestions
    from preview.report import report

    found = suggestions(loaded.inputs, resolved, problems) if loaded.inputs else {}
    summary = report(resolved, problems, found, left_out(resolved))
    run = None if summary.failed else _run(loaded, cwd)
    output.print_report(summary, run, format_)
    _exit(summary.failed)


@app.command()
def render(
    stack: StackName,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; empty, or of an earlier render.", file_okay=False)
    ],
    cwd: Directory = Path(),
    allow_unknown: Annotated[bool, typer.Option(help="Succeed although some objects are incomplete.")] = False,
) -> None:
    """Write the Kubernetes objects as files for kubectl, and each chart's values with its helm command."""
    loaded, _, problems = _checked(stack, cwd)
    if any(one.severity == "error" for one in problems):
        from preview.output import print_problems

        print_problems(problems, Format.text)
        _exit(1)
    from preview.folder import OutputFolderError
    from preview.manifests import RenderError
    from preview.manifests import render as write

    try:
        result = write(_run(loaded, cwd).resources, output, allow_unknown)
    except (OutputFolderError, RenderError) as error:
        _fail(error, 2 if isinstance(error, OutputFolderError) else 1)
    for name in (*result.files, *result.charts):
        print(name)
    for gap in result.incomplete:
        print(f"incomplete: {gap.file}: {gap.path}: {gap.reason}", file=sys.stderr)
    for urn, reason in result.not_rendered:
        print(f"not rendered: {urn.rpartition('::')[2]}: {reason}", file=sys.stderr)
    _exit(result.exit_code)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the whole stack file."""
    from preview import output
    from stacks.whole_file import schema as whole_file

    output.print_json(whole_file())


@app.command()
def rules(
    format_: Annotated[Format, typer.Option("--format", help="text, json or markdown")] = Format.text,
) -> None:
    """List every rule: its code, its severity, and what it makes sure of."""
    from preflight.registry import RULES
    from preview.output import print_rules

    print_rules(RULES, format_)


@app.command("migrate-engine")
def migrate_engine(
    stack: StackName,
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A workload on Text Generation Inference.")],
    cwd: Directory = Path(),
) -> None:
    """Print a workload of Text Generation Inference for vLLM, with what has no equivalent as comments."""
    from preview.output import print_problems
    from stacks.migrate_tgi import migrated

    _, resolved, problems = _checked(stack, cwd)
    if resolved is None:
        print_problems(problems, Format.text)
        raise typer.Exit(1)
    try:
        print(migrated(resolved, workload), end="")
    except ValueError as error:
        _fail(error, 2)


@app.command()
def diff(
    stack: StackName,
    against: Annotated[str, typer.Option(metavar="GITREF", help="Commit, branch or tag to compare with.")],
    cwd: Directory = Path(),
    format_: Annotated[Format, typer.Option("--format", help="text, json or markdown")] = Format.text,
) -> None:
    """Print what the change since GITREF does to a stack: resources, restarts, data loss, fit, cost, problems."""
    from preview import output
    from preview.checkout import CheckoutError, against_commit
    from preview.diff_markdown import markdown
    from preview.diff_text import text

    try:
        with output.progress(f"comparing {stack} with {against} ..."):
            found = against_commit(stack, against, cwd)
    except CheckoutError as error:
        _fail(error, 2)
    if format_ is Format.json:
        output.print_json(found.as_json())
    else:
        print(markdown(found) if format_ is Format.markdown else text(found), end="")
    _exit(found.failed)


def main() -> None:
    """Entry point. Wrong usage exits with 2, as click does."""
    # The process is short: the collector would only walk a growing heap again and again.
    gc.disable()
    app(prog_name=PROJECT)


def _checked(stack: str, cwd: Path) -> "tuple[Loaded, Stack | None, list[Problem]]":
    from stacks.loader import load_file, stack_path

    loaded = load_file(stack_path(stack, cwd))
    if loaded.inputs is None:
        return loaded, None, list(loaded.problems)
    from preflight.check import check as run_rules
    from stacks.resolve import resolve

    resolved = resolve(loaded.inputs)
    return loaded, resolved, [*loaded.problems, *loaded.located(run_rules(loaded.inputs, resolved))]


def _run(loaded: "Loaded", cwd: Path) -> "Run":
    from preview import output
    from preview.run import ProgramError, UnsupportedError, run

    values, secrets = loaded.engine_config()
    main = cwd / "__main__.py"
    if not main.exists():
        _fail(f"{main} isn't there; run this in the project's folder, or name it with --cwd", 2)
    try:
        with output.progress(f"running the program for {loaded.stack} ..."):
            return run(main, project=PROJECT, stack=loaded.stack, config=values, config_secret_keys=secrets)
    except (ProgramError, UnsupportedError) as error:
        _fail(error, 1)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _fail(error: Exception | str, code: int) -> NoReturn:
    print(f"{PROJECT}: {error}", file=sys.stderr)
    raise typer.Exit(code) from None


def _exit(failed: int | bool) -> None:
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
