"""The command `llm-serving status`."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def status(
    stack: Annotated[
        str, typer.Argument(metavar="STACK", help="A stack's name (dev for Pulumi.dev.yaml) or its file.")
    ],
    cwd: Annotated[
        Path, typer.Option("--cwd", "-C", help="Folder of the project.", file_okay=False, exists=True)
    ] = Path(),
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig; its current one when left out.")
    ] = None,
) -> None:
    """Ask the cluster, with kubectl, which workloads are ready, and of the others why not."""
    from stacks.loader import load_file, stack_path
    from stacks.resolve import resolve
    from status.kubectl import ClusterError
    from status.report import lines, statuses

    loaded = load_file(stack_path(stack, cwd))
    if loaded.inputs is None:
        for one in loaded.problems:
            print(one.full_text())
        raise typer.Exit(1)
    resolved = resolve(loaded.inputs)
    try:
        found = statuses(resolved, context=context)
    except ClusterError as error:
        print(f"llm-serving: {resolved.cluster.name}, namespace {resolved.namespace}: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    for line in lines(found):
        print(line)
    if not all(one.fine for one in found):
        raise typer.Exit(1)
