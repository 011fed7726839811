"""Runs a Pulumi program in this process, without the Pulumi CLI, and returns what it registered.

The program meets the official SDK with `preview/monitor.py` behind it: nothing is created, read or asked for
over a network. Each run has its own event loop and its own copy of the SDK's settings (they are context
variables), so runs follow one another in one process without traces.
"""

from __future__ import annotations

import asyncio
import contextvars
import runpy
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preview.registered import Registered
from preview.surroundings import calm_collector, hidden_environment, program_folder
from preview.values import secret_texts

if TYPE_CHECKING:
    from preview.monitor import LogMessage, PreviewMonitor

Program = Callable[[], Awaitable[Any] | None]


class ProgramError(Exception):
    """The program stopped on purpose (`pulumi.RunError`, `sys.exit`); the message is for its user."""


class UnsupportedError(Exception):
    """The program uses an engine feature that a preview without the engine can't serve (transforms, hooks)."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a program registered: resources sorted by URN, stack outputs, and log messages above debug."""

    resources: tuple[Registered, ...]
    outputs: dict[str, Any]
    logs: tuple[LogMessage, ...]


def run(
    program: Program | Path,
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    config_secret_keys: Collection[str] = (),
    organization: str = "organization",
) -> Run:
    """Run a program as a first preview and return what it registered.

    `program` is a function (plain or async), a `__main__.py`, or the folder that holds one. `config` maps full keys
    (`aws:region`) to strings, JSON for objects, as the engine passes them.

    Raises `ProgramError` for `pulumi.RunError` and `sys.exit`, `UnsupportedError` for engine features that are
    missing here, and whatever else the program raises as it is.
    """
    import pulumi.runtime  # the SDK's settings must exist before the context is copied
    from pulumi.runtime import settings as sdk_settings

    from preview.monitor import PreviewMonitor

    monitor = PreviewMonitor(project, stack)
    entry, folder = _entry(program), None
    if isinstance(program, Path):
        folder = (program if program.is_dir() else program.parent).resolve()

    def configured() -> None:
        sdk_settings.ROOT.set(None)
        sdk_settings.configure(
            pulumi.runtime.Settings(
                project=project,
                stack=stack,
                monitor=monitor,
                engine=monitor,
                dry_run=True,
                organization=organization,
                root_directory=str(folder or Path.cwd()),
            )
        )
        pulumi.runtime.set_all_config(dict(config), list(config_secret_keys))
        _run_loop(pulumi.runtime.run_in_stack(entry))

    secrets = [config[key] for key in config_secret_keys if config.get(key)]
    try:
        with hidden_environment(), calm_collector(), program_folder(folder):
            contextvars.copy_context().run(configured)
            return _result(monitor, secrets)
    except pulumi.RunError as error:
        raise ProgramError(_without(str(error), secrets)) from error
    except SystemExit as error:
        raise ProgramError(f"the program called sys.exit({error.code!r})") from error
    except Exception as error:
        explained = _explained(error, monitor)
        _redact(explained, secrets)
        raise explained from explained.__cause__
    finally:
        _forget_defaults(sdk_settings.SETTINGS)


def _entry(program: Program | Path) -> Program:
    if not isinstance(program, Path):
        return program
    main = (program / "__main__.py" if program.is_dir() else program).resolve()

    def run_main() -> None:
        runpy.run_path(str(main), run_name="__main__")

    return run_main


def _run_loop(main: Any) -> None:
    """Run to the end on a fresh event loop, and leave no task, thread or warning behind."""
    loop = asyncio.new_event_loop()
    # When one registration fails, everything that waits for it fails with the same error, unretrieved. The first is
    # raised; asyncio would print the others. Without a first, what arrives here is an error that nobody awaited.
    unawaited: list[BaseException] = []
    loop.set_exception_handler(lambda _loop, context: unawaited.extend(filter(None, [context.get("exception")])))
    try:
        loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_drain(loop))
        loop.close()
    if unawaited:
        raise unawaited[0]


async def _drain(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def _forget_defaults(settings: Any) -> None:
    """The SDK keeps the first value set over a None as the default for every other context; take it back."""
    for name in ("monitor", "engine", "dry_run", "root_directory", "callbacks"):
        if getattr(settings, name) is None:
            setattr(settings, name, None)


def _result(monitor: PreviewMonitor, secrets: list[str]) -> Run:
    resources = monitor.registered()
    outputs = monitor.stack_outputs()
    logs = monitor.logs()
    if logs:
        known = {*secrets, *secret_texts(outputs)}
        for resource in resources:
            known.update(secret_texts(resource.inputs), secret_texts(resource.outputs))
        logs = tuple(log._replace(message=_without(log.message, known)) for log in logs)
    return Run(resources, outputs, logs)


def _without(text: str, secrets: Collection[str]) -> str:
    """The text with secrets replaced, longest first, as the Pulumi CLI does with its output."""
    for secret in sorted(secrets, key=lambda value: (-len(value), value)):
        text = text.replace(secret, "[secret]")
    return text


def _redact(error: BaseException | None, secrets: Collection[str]) -> None:
    """Take secrets out of the messages of an error and its causes: the SDK quotes the inputs that it fails on."""
    while error is not None and secrets:
        error.args = tuple(_without(part, secrets) if isinstance(part, str) else part for part in error.args)
        error = error.__cause__ or error.__context__


def _explained(error: Exception, monitor: PreviewMonitor) -> Exception:
    """The error, with what a reader of this preview needs to know beside it."""
    if error.__cause__ is error:  # the SDK raises the first failed registration from itself
        error.__cause__ = None
    if str(error).startswith("The Pulumi CLI does not support"):
        feature = str(error).removeprefix("The Pulumi CLI does not support ").split(".")[0]
        return UnsupportedError(f"this preview can't run {feature}; use `pulumi preview` with the Pulumi CLI")
    if monitor.unanswered_invokes:
        asked = ", ".join(sorted(set(monitor.unanswered_invokes)))
        note = (
            f"this preview asks no provider, so {asked} had no answer; "
            "use the output form (get_..._output), whose result is unknown here"
        )
        # What the SDK says when a program reads a field of the missing answer of a plain invoke.
        if isinstance(error, AssertionError) and str(error).startswith("get can only be used"):
            unsupported = UnsupportedError(note)
            unsupported.__cause__ = error
            return unsupported
        if isinstance(error, (AttributeError, TypeError)):
            error.add_note(note)
    return error
