"""The stack that the Pulumi engine runs: its configuration, checked. The only reader of `pulumi.Config`."""

from pathlib import Path

import pulumi
from pulumi.runtime.config import get_config_env, is_config_secret

from components.resolved import Stack
from preflight.check import check
from stacks import loader
from stacks.problem import Problem
from stacks.resolve import Inputs, resolve


def checked_stack() -> Stack:
    """The resolved stack.

    Raises pulumi.RunError with every error of the configuration and of the rules; warnings go to the engine's log.
    """
    if is_config_secret(f"{pulumi.get_project()}:stack"):
        raise pulumi.RunError(
            "llm-serving:stack holds a secret, and would put it into every resource in plain text; name an existing Secret "
            "under huggingFaceToken, or a key of its own (configSecret)"
        )
    loaded = loader.load_object(
        pulumi.Config().require_object("stack"),
        stack=pulumi.get_stack(),
        region=pulumi.Config("aws").get("region"),
        file=Path.cwd() / f"Pulumi.{pulumi.get_stack()}.yaml",
        settings=_settings(),
    )
    _stop(loaded.problems)
    assert isinstance(loaded.inputs, Inputs)
    stack = resolve(loaded.inputs)
    _stop(loaded.located(check(loaded.inputs, stack)))
    return stack


def _settings() -> dict[str, bool] | None:
    """The other keys of this project that the engine knows, and whether each is a secret; None where no engine runs."""
    prefix = f"{pulumi.get_project()}:"
    keys = [key for key in get_config_env() if key.startswith(prefix) and key != f"{prefix}stack"]
    return {key.removeprefix(prefix): is_config_secret(key) for key in keys} or None


def _stop(problems: list[Problem]) -> None:
    errors = [one.full_text() for one in problems if one.severity == "error"]
    for one in problems:
        if one.severity == "warning":
            pulumi.log.warn(one.full_text())
    if errors:
        raise pulumi.RunError("\n".join(errors))
