"""The Pulumi CLI with a time limit and an environment of its own, for the Automation API."""

import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error

SECONDS = 300
"""Longest time for one command. The slowest one here (a first `up` on two cores) takes about half a minute."""
_GRACE_SECONDS = 20


class BoundedCommand(PulumiCommand):
    """`pulumi` that is stopped after SECONDS, with nothing from the environment that would change what it does."""

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """As PulumiCommand.run. Raises TimeoutError with what the command printed."""
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**_inherited(), **additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                stdout, stderr = _stop(process)
                words = f"pulumi {' '.join(args)} is not done after {SECONDS} s"
                raise TimeoutError(f"{words}\n{stdout}\n{stderr}") from None
        for text, callback in ((stdout, on_output), (stderr, on_error)):
            if callback:
                for line in text.splitlines():
                    callback(line)
        result = CommandResult(stdout=stdout, stderr=stderr, code=process.returncode)
        if process.returncode:
            raise create_command_error(result)
        return result


def _stop(process: subprocess.Popen[str]) -> Any:
    # The first interrupt lets the engine finish what is under way, the kill ends it with its plugins.
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "KUBE", "AWS_"))}
