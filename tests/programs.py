"""The stack files of the project, each run once through the whole program."""

from functools import cache
from pathlib import Path

from preview.run import Run, run
from stacks.loader import Loaded, load_file

ROOT = Path(__file__).resolve().parent.parent
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))
STACKS = [path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in STACK_FILES]


@cache
def loaded(stack: str) -> Loaded:
    """The stack file."""
    return load_file(ROOT / f"Pulumi.{stack}.yaml")


@cache
def ran(stack: str) -> Run:
    """What the program registers for it."""
    values, secrets = loaded(stack).engine_config()
    return run(ROOT / "__main__.py", project="llm-serving", stack=stack, config=values, config_secret_keys=secrets)
