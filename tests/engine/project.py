"""The project as the engine meets it: a copy of the committed files in a folder of its own, with a backend beside it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation.events import EngineEvent, ResourcePreEvent, StepEventMetadata

from stacks.loader import Loaded, load_file
from tests.engine.command import BoundedCommand
from tests.engine.required import PROVIDER, plugins

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "llm-serving"
PASSPHRASE = "not a secret"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the engine did, or in a preview said it would do."""

    steps: Mapping[str, list[StepEventMetadata]]
    """The engine's steps by URN, in their order."""
    diagnostics: list[tuple[str, str]]
    """Severity and message of what was logged above debug."""
    text: str
    """What the CLI printed."""

    def changed(self) -> dict[str, list[str]]:
        """Name of every operation other than `same`, by URN."""
        names = {urn: [step.op.value for step in steps] for urn, steps in self.steps.items()}
        return {urn: ops for urn, ops in names.items() if set(ops) - {"same"}}

    def warnings(self) -> list[str]:
        """Everything that was logged as a warning or an error, but which plugins come from PATH."""
        found = [message for severity, message in self.diagnostics if severity in ("warning", "error")]
        return [message for message in found if not re.match(r"using pulumi-\S+ from \$PATH", message)]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of the project with one stack of its own."""

    folder: Path
    backend: Path
    stack: automation.Stack

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.folder / f"Pulumi.{self.stack.name}.yaml"

    def loaded(self) -> Loaded:
        """The stack file, as `llm-serving check` reads it."""
        return load_file(self.file)

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes `llm-serving:stack` in the stack file; what else the CLI wrote there stays."""
        whole = yaml.safe_load(self.file.read_text("utf-8"))
        change(whole["config"][f"{PROJECT}:stack"])
        self.file.write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")

    def preview(self, **options: Any) -> Run:
        """`pulumi preview`. Raises automation.CommandError."""
        return self._run(self.stack.preview, **options)

    def up(self, **options: Any) -> Run:
        """`pulumi up`. Raises automation.CommandError."""
        return self._run(self.stack.up, **options)

    def refresh(self, **options: Any) -> Run:
        """`pulumi refresh`. Raises automation.CommandError."""
        return self._run(self.stack.refresh, **options)

    def destroy(self, **options: Any) -> Run:
        """`pulumi destroy`. Raises automation.CommandError."""
        return self._run(self.stack.destroy, **options)

    def preview_destroy(self, **options: Any) -> Run:
        """`pulumi destroy --preview-only`. Raises automation.CommandError."""
        return self._run(self.stack.preview_destroy, **options)

    def exported(self) -> str:
        """What `pulumi stack export` prints. The Automation API's own export decrypts the secrets."""
        workspace = self.stack.workspace
        environment = {**workspace.env_vars, "PULUMI_HOME": workspace.pulumi_home or ""}
        command = ["stack", "export", "--stack", self.stack.name]
        return workspace.pulumi_command.run(command, str(self.folder), environment).stdout

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, secrets encrypted."""
        return json.loads(self.exported())["deployment"].get("resources") or []

    def _run(self, operation: Callable[..., Any], **options: Any) -> Run:
        events: list[EngineEvent] = []
        done = operation(on_event=events.append, **options)
        steps: dict[str, list[StepEventMetadata]] = {}
        for event in events:
            if isinstance(event.resource_pre_event, ResourcePreEvent):
                step = event.resource_pre_event.metadata
                steps.setdefault(step.urn, []).append(step)
        logged = [event.diagnostic_event for event in events]
        diagnostics = [(one.severity, one.message) for one in logged if one and not one.severity.startswith("debug")]
        return Run(steps=steps, diagnostics=diagnostics, text=f"{done.stdout}\n{done.stderr}")


def new_project(folder: Path, stack: str, kubeconfig: Path | str, text: str | None = None) -> Project:
    """A copy of the project in `folder`, with the stack in a backend there. `text` replaces the stack file's."""
    program, backend, home = (folder / name for name in ("program", "state", "home"))
    copy_program(program)
    for one in (backend, home):
        one.mkdir()
    if shutil.which(PROVIDER) is None:
        (home / "plugins").symlink_to(plugins(), target_is_directory=True)
    if text is not None:
        (program / f"Pulumi.{stack}.yaml").write_text(text, "utf-8")
    environment = {
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # What is missing is an error: nothing is fetched while tests run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "KUBECONFIG": str(kubeconfig),
    }
    options = automation.LocalWorkspaceOptions(
        pulumi_home=str(home), env_vars=environment, pulumi_command=BoundedCommand(), secrets_provider="passphrase"
    )
    created = automation.create_stack(stack_name=stack, work_dir=str(program), opts=options)
    return Project(folder=program, backend=backend, stack=created)


def copy_program(folder: Path) -> None:
    """The files that git tracks, or would once they are added, with this interpreter's environment as `.venv`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    runtime = yaml.safe_load((folder / "Pulumi.yaml").read_text("utf-8"))["runtime"]["options"]
    os.symlink(sys.prefix, folder / runtime["virtualenv"], target_is_directory=True)
