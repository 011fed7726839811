"""What a stack adds to the catalogue, and whether it can be used: `models.*.config` files and the `catalog` section."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic.alias_generators import to_camel

from catalog.gpus import gpus
from catalog.instances import instances
from catalog.models import from_config_json, weights_bytes
from catalog.options import options
from stacks.config import Catalog, StackConfig
from stacks.messages import Found
from stacks.overrides import gpu_rows, instance_rows, model_rows, option_rows
from stacks.problem import Path, quoted

_MOST_BYTES = 4 * 1024 * 1024
"""The longest config.json on the Hub is below 100 KiB."""
_MOST_DIGITS = 18
_COUNT = re.compile(r"^(num|n)_|_(size|dim|rank|heads|layers|experts|embeddings)$")
_KEYS = {"allocatable_cpu_millis": "allocatable_cpu", "allocatable_memory_mib": "allocatable_memory"}


class _Unusable(Exception):
    """A file that can't be used, in words."""


def project_folder(folder: FilePath) -> FilePath:
    """The folder of Pulumi.yaml: this one, or the closest above it (`stackConfigDir` moves stack files down)."""
    return next((one for one in (folder, *folder.parents) if (one / "Pulumi.yaml").is_file()), folder)


def config_files(config: StackConfig, folder: FilePath) -> tuple[dict[str, Mapping[str, Any]], list[Found]]:
    """Content of every `models.*.config` file by its path as written, and what is wrong with the others."""
    contents: dict[str, Mapping[str, Any]] = {}
    found = []
    for name, model in config.models.items():
        if model.config is None:
            continue
        try:
            contents.setdefault(model.config, _read(model.config, folder))
            _understand(contents[model.config], model.id, model.params)
        except _Unusable as error:
            found.append(Found(code="CFG010", path=("models", name, "config"), message=str(error)))
    return contents, found


def _read(name: str, folder: FilePath) -> Mapping[str, Any]:
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise _Unusable(f"{quoted(name)} is outside the project's folder; copy the file into it")
        if path.stat().st_size > _MOST_BYTES:
            raise _Unusable(f"{quoted(name)} is longer than {_MOST_BYTES} bytes; name the model's config.json")
        content = json.loads(path.read_bytes(), parse_int=_whole, parse_float=_real, parse_constant=_real)
    except (FileNotFoundError, NotADirectoryError):
        raise _Unusable(f"there is no file {quoted(name)} in the project's folder") from None
    except RecursionError:
        raise _Unusable(f"{quoted(name)} is nested too deeply") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise _Unusable(f"{quoted(name)} can't be read: {getattr(error, 'strerror', None) or error}") from None
    except json.JSONDecodeError as error:
        raise _Unusable(f"{quoted(name)} isn't JSON: {error.msg} at {error.lineno}:{error.colno}") from None
    except ValueError as error:
        raise _Unusable(f"{quoted(name)} isn't JSON text: {error}") from None
    if not isinstance(content, dict):
        raise _Unusable(f"{quoted(name)} holds no JSON object; name the model's config.json")
    return content


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:  # more overflows the arithmetic of sizes
        raise _Unusable(f"holds a number of {len(digits)} digits, which no config.json has")
    return int(digits)


def _real(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _Unusable(f"holds {number[:20]}, which is no number in JSON")
    return value


def _understand(content: Mapping[str, Any], model: str, params: int | None) -> None:
    for part in (content, content.get("text_config"), content.get("llm_config")):
        for key, value in part.items() if isinstance(part, dict) else ():
            if isinstance(value, str) and _COUNT.search(key):  # text times a number is a longer text, not an error
                raise _Unusable(f"{key} is {quoted(value)}, and must be a number")
    try:
        weights_bytes(from_config_json(content, name=model, params=params))
    except ValueError as error:
        raise _Unusable(str(error)) from None
    except (TypeError, AttributeError, KeyError, IndexError, ArithmeticError, MemoryError) as error:
        # Any JSON can stand in that file, and keys that aren't checked one by one may hold anything.
        raise _Unusable(f"holds a value of a form that no config.json has ({type(error).__name__}: {error})") from None


def row_errors(catalog: Catalog) -> list[Found]:
    """Rows of the `catalog` section that don't complete, or don't fit, the built-in tables."""
    return list(_row_errors(catalog))


def _row_errors(catalog: Catalog) -> Iterator[Found]:
    for name, row in gpu_rows(catalog).items():
        yield from _tried(lambda name=name, row=row: gpus({name: row}), ("catalog", "gpus", name))
    for name, row in instance_rows(catalog).items():
        yield from _tried(lambda name=name, row=row: instances({name: row}), ("catalog", "instanceTypes", name))
    for name in catalog.models:
        one = Catalog(models={name: catalog.models[name]})
        yield from _tried(lambda one=one: model_rows(one), ("catalog", "models", name))
    for engine, tables in option_rows(catalog).items():
        for version in tables:
            yield from _tried(
                lambda engine=engine, version=version, tables=tables: options(engine, version, tables),
                ("catalog", "engineVersions", engine, version),
            )


def _tried(read: Callable[[], Any], path: Path) -> Iterator[Found]:
    try:
        read()
    except ValueError as error:
        yield Found(code="CFG007", path=path, message=_as_keys(str(error).replace("\n", "; ")))


def _as_keys(words: str) -> str:
    """The catalogue's field names as the keys of the stack file."""
    for field, key in _KEYS.items():
        words = words.replace(field, key)
    return re.sub(r"\b[a-z]+(?:_[a-z0-9]+)+\b", lambda match: to_camel(match[0]), words)
