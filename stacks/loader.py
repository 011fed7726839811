"""Stack files to `Inputs`, or every problem at once with its place. Whatever a file holds, nothing is raised."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacks.file_sections import PROJECT, Sections, sections, setting_errors
from stacks.messages import Found
from stacks.named_files import project_folder
from stacks.positions import Document
from stacks.problem import Problem, quoted
from stacks.resolve import Inputs
from stacks.secret_values import is_encrypted
from stacks.sources import Source
from stacks.stack_object import Checked, checked

_PLACEHOLDER = "[secret]"
"""Stands for what only the Pulumi CLI can decrypt."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A stack file, or what is wrong with it."""

    stack: str
    """Name of the stack."""
    problems: list[Problem]
    """Errors and warnings, in the order of the file."""
    inputs: Inputs | None = None
    """None when there is an error."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The `config` section under full keys (`namespace:name`), as the file has it."""
    source: Source = field(default_factory=Source, repr=False)

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """The same problems, with file, line and column of their paths below `llm-serving:stack`."""
        return [one if one.file else self.source.located(one) for one in problems]

    def engine_config(self) -> tuple[dict[str, str], list[str]]:
        """The configuration as the engine hands it to the program (text by full key), and the keys of secrets.

        Values of secrets, which only the CLI can decrypt, are placeholders.
        """
        values = {key: _PLACEHOLDER if is_encrypted(value) else _text(value) for key, value in self.config.items()}
        secrets = [key for key, value in self.config.items() if is_encrypted(value)]
        token = self.inputs.config.hugging_face_token if self.inputs else None
        if (name := getattr(token, "config_secret", None)) and (key := f"{PROJECT}:{name}") not in values:
            values[key] = _PLACEHOLDER
            secrets.append(key)
        return values, secrets


def stack_path(stack: str, directory: Path) -> Path:
    """The file of a stack: for `dev` Pulumi.dev.yaml in `directory`; a path of a file starts at `directory`."""
    given = Path(stack)
    if given.suffix in (".yaml", ".yml") or len(given.parts) > 1:
        return directory / given
    yml = directory / f"Pulumi.{stack}.yml"
    return yml if _is_file(yml) else directory / f"Pulumi.{stack}.yaml"


def load_file(path: Path) -> Loaded:
    """What a stack file holds, with every problem that can be told without the rules."""
    return _load(path, alone=False)


def load_object(
    value: Any, *, stack: str, region: str | None, file: Path | None = None, settings: Mapping[str, bool] | None = None
) -> Loaded:
    """The stack that the engine has as `llm-serving:stack`. The file gives the places of what is the same in it.

    `settings`: the engine's other keys of this project, without the namespace, and whether each is a secret.
    """
    try:
        document = Document(file.read_bytes()) if file else None
    except (OSError, ValueError):
        document = None
    around = sections(document.data) if document else Sections()
    source = Source(file=file.name if file else "", document=document, prefix=around.stack_path, engine_value=value)
    folder = file.parent if file else Path()
    result = checked(value, project_folder(folder.absolute()), lambda name: _sibling(folder / name, file))
    errors = [source.below_stack(one) for one in result.found]
    alone = Source()
    errors += [alone.in_file(one) for one in setting_errors(settings or {}, result.config_secret)]
    return _loaded(stack, region, result, errors, source, around.config)


def _load(path: Path, *, alone: bool) -> Loaded:
    stack = path.stem.removeprefix("Pulumi.") or path.name
    try:
        document = Document(path.read_bytes())
    except (OSError, ValueError) as error:
        return Loaded(stack=stack, problems=[_unreadable(path, error)])
    if document.data is None and not document.mistakes:
        words = "the file is empty; it needs config: with the key llm-serving:stack"
        return Loaded(
            stack=stack, problems=[Problem(code="CFG001", severity="error", path=(), message=words, file=path.name)]
        )
    around = sections(document.data) if document.data is not None else Sections()
    source = Source(file=path.name, document=document, prefix=around.stack_path)
    problems = [source.mistake(one) for one in document.mistakes]
    broken = {one.path for one in problems}
    problems += [source.in_file(one) for one in around.found if one.path not in broken]
    if around.stack is None:
        return Loaded(stack=stack, problems=_ordered(problems), config=around.config, source=source)
    sibling = None if alone else (lambda name: _sibling(path.parent / name, path))
    result = checked(around.stack, project_folder(path.parent.absolute()), sibling)
    problems += [source.below_stack(one) for one in result.found if one.path not in broken]
    problems += [source.in_file(one) for one in _settings(around, result.config_secret)]
    return _loaded(stack, around.region, result, problems, source, around.config)


def _loaded(
    stack: str,
    region: str | None,
    result: Checked,
    problems: list[Problem],
    source: Source,
    config: Mapping[str, Any],
) -> Loaded:
    everything = [*_ordered(problems), *result.elsewhere]
    inputs = None
    if result.config is not None and not any(one.severity == "error" for one in everything):
        inputs = Inputs(
            config=result.config,
            name=stack,
            region=region,
            config_files=result.config_files,
            infrastructure=result.infrastructure,
        )
    return Loaded(stack=stack, problems=everything, inputs=inputs, config=config, source=source)


def _ordered(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda one: (one.line or 0, one.column or 0))


def _settings(around: Sections, wanted: str | None) -> list[Found]:
    """Mistakes in our keys beside `stack`."""
    settings = around.settings()
    found = [around.placed(one) for one in setting_errors(settings, wanted)]
    if wanted and wanted not in settings and not around.environment:
        path = (*around.stack_path, "huggingFaceToken", "configSecret")
        words = f"the file has no {PROJECT}:{wanted}"
        remedy = f"run `pulumi config set --secret {PROJECT}:{wanted}` before `pulumi up`"
        found.append(Found(code="CFG008", path=path, message=words, remedy=remedy, severity="warning"))
    return found


def _sibling(path: Path, own: Path | None) -> Loaded | str:
    if own is not None and path.name == own.name:
        return "this is the file itself; name the file of the stack that owns the cluster"
    if not _is_file(path):
        return f"there is no file {quoted(path.name)} here; the stack files are {_stack_files(path.parent)}"
    return _load(path, alone=True)


def _unreadable(path: Path, error: Exception) -> Problem:
    if isinstance(error, FileNotFoundError):
        words = f"there is no such stack file; the stack files here are {_stack_files(path.parent)}"
    elif isinstance(error, IsADirectoryError):
        words = "this is a folder; name a stack or its file"
    else:
        words = f"can't be read: {getattr(error, 'strerror', None) or error}"
    return Problem(code="CFG001", severity="error", path=(), message=words, file=path.name or str(path))


def _stack_files(folder: Path) -> str:
    try:
        names = sorted(one.name for pattern in ("Pulumi.*.yaml", "Pulumi.*.yml") for one in folder.glob(pattern))
    except OSError:
        names = []
    return ", ".join(names[:20]) or "none"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)
