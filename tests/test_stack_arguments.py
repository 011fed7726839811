"""Every argument that a stack of this project emits is an option of its engine's exact version, with a value that it takes."""

from pathlib import Path

import pytest

from catalog.options import options
from stacks.loader import load_file
from stacks.resolve import resolve
from tests.programs import ROOT, STACK_FILES

FILES = [*STACK_FILES, *sorted((ROOT / "docs" / "examples").glob("Pulumi.*.yaml"))]
LOADED = {file.name: loaded for file in FILES if (loaded := load_file(file)).inputs is not None}


@pytest.mark.parametrize("name", LOADED)
def test_every_argument_is_in_the_option_table(name: str) -> None:
    inputs = LOADED[name].inputs
    assert inputs is not None
    stack = resolve(inputs)
    unknown = []
    for workload in stack.workloads.values():
        engine, own = workload.engine, stack.option_rows.get(workload.engine.name)
        table = options(engine.name, engine.table_version(own), own)
        for argument in engine.arguments(workload.launch, own):
            row = table.get(argument.option)
            if not argument.option:
                continue
            if row is None or (row.nargs == 0) != (not argument.values):
                unknown.append(f"{workload.name}: {argument.option}")
            elif row.choices and not set(argument.values) <= set(row.choices):
                unknown.append(f"{workload.name}: {argument.words}")
    assert unknown == []


def test_the_stacks_of_the_project_are_among_them() -> None:
    names = {Path(file).name for file in STACK_FILES}
    assert names <= set(LOADED)
    assert "Pulumi.vllm.yaml" in LOADED
