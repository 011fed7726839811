"""For maintainers: the option table of KServe's Hugging Face runtime, from the wheel of the vLLM in its image and KServe's sources.

    pip download --no-deps vllm==0.24.0        # ARG VLLM_VERSION in python/huggingface_server.Dockerfile
    git clone --branch v0.20.0 https://github.com/kserve/kserve
    python -m catalog.read_huggingface_server vllm-0.24.0-*.whl kserve > catalog/data/huggingface_options_0.20.0.json

Nothing is imported or run. The runtime has vLLM's parser with options of its own, but starts vLLM's engine behind a server of KServe's:
of the options of vLLM's server only those are listed that the runtime's code reads. Its parser takes the others too, and they do nothing.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.read_vllm_wheel import ParserReader, table, written
from catalog.wheel_source import WheelSource

_SERVER = "python/kserve/kserve/model_server.py"
_MAIN = "python/huggingfaceserver/huggingfaceserver/__main__.py"
_MODEL = "python/huggingfaceserver/huggingfaceserver/vllm/vllm_model.py"
_DOCKERFILE = "python/huggingface_server.Dockerfile"
_PROJECT = "python/huggingfaceserver/pyproject.toml"


def runtime_table(wheel: Path, kserve: Path) -> dict[str, Any]:
    """The table of the release in the folder `kserve`. Raises ValueError where the wheel isn't the vLLM of that release's image."""
    found = table(wheel)
    source = WheelSource(wheel, "vllm")
    version = _after(kserve / _DOCKERFILE, "ARG VLLM_VERSION=")
    if source.version != version:
        raise ValueError(f"the wheel is vLLM {source.version}, and the image has {version}")
    read = {name.replace("_", "-") for file in (_MODEL, _MAIN) for name in _attributes(kserve / file)}
    unread = {name for name in _server_options(source) if not _flags(name) & {f"--{one}" for one in read}}
    rows = {name: row for name, row in found["rows"].items() if name not in unread}
    for file in (_SERVER, _MAIN):
        rows |= dict(_added(kserve / file))
    release = _after(kserve / _PROJECT, "version = ").strip('"')
    return {
        **found,
        "source": f"sources of vllm {version} (PyPI wheel) and of KServe {release}, {_SERVER} and {_MAIN} "
        "(catalog/read_huggingface_server.py)",
        "vllm": version,
        "rows": dict(sorted(rows.items())),
    }


def _server_options(source: WheelSource) -> set[str]:
    """Options of vLLM's HTTP server: all but those of its engine."""
    reader = ParserReader(source)
    reader.read()
    everything = set(reader.rows)
    engine = ParserReader(source)
    engine.rows.clear()
    engine._class(source.find("class FrontendArgs("), "AsyncEngineArgs")
    return everything - set(engine.rows) - {"-h", "--help"}


def _flags(name: str) -> set[str]:
    """The option and what it switches off."""
    return {name, name.replace("--no-", "--", 1)}


def _attributes(file: Path) -> set[str]:
    """Fields of the parsed command line that the code reads: `args.name` and `self.args.name`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="args") | ast.Attribute(attr="args"), attr=name):
                found.add(name)
            case ast.Call(
                func=ast.Name(id="getattr"), args=[ast.Attribute(attr="args"), ast.Constant(value=str(name)), *_]
            ):
                found.add(name)
    return found


def _added(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Options that a module adds to its parser, but for those of another backend than vLLM."""
    for node in _calls(ast.parse(file.read_text()).body):
        names = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
        given = {one.arg: one.value for one in node.keywords if one.arg}
        kind, action, choices = (given.get(key) for key in ("type", "action", "choices"))
        default = given.get("default")
        flag = action is not None and ast.unparse(action) == "'store_true'"
        text = "None" if default is None else (str(default.value) if isinstance(default, ast.Constant) else "")
        yield from (
            (
                name,
                {
                    "nargs": 0 if flag else None,
                    "choices": ast.literal_eval(choices) if choices is not None else None,
                    "type": "<lambda>" if isinstance(kind, ast.Lambda) else (ast.unparse(kind) if kind else "None"),
                    "default": "False" if flag else text or ast.unparse(default or ast.Constant(None)),
                },
            )
            for name in names
        )


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for one in body:
        match one:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add_argument")) as call):
                yield call


def _after(file: Path, start: str) -> str:
    """The rest of the first line that begins so."""
    for line in file.read_text().splitlines():
        if line.startswith(start):
            return line.removeprefix(start).strip()
    raise ValueError(f"{file}: no line begins with {start}")


def main(arguments: list[str]) -> int:
    """Prints the table of the wheel and the checkout that are named."""
    if len(arguments) != 2:
        print("usage: python -m catalog.read_huggingface_server WHEEL KSERVE", file=sys.stderr)
        return 2
    try:
        print(written(runtime_table(Path(arguments[0]), Path(arguments[1]))))
    except ValueError as error:
        print(f"read_huggingface_server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
