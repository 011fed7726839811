"""For maintainers: the option table of an SGLang release, from its wheel.

    pip download sglang==0.5.23 --no-deps
    python -m catalog.read_sglang_wheel sglang-0.5.23-*.whl > catalog/data/sglang_options_0.5.23.json

Nothing of the wheel is run: it reads the fields `name: A[type, Arg(..)] = default` in `sglang/srt/arg_groups/fields`, and the calls of
`parser.add_argument` in `sglang/srt/server_args.py`.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

_ROOT = "sglang/srt/"
_SERVER_ARGS = f"{_ROOT}server_args.py"
_CONSTANTS = (
    "arg_groups/choices.py",
    "parser/reasoning_parser_names.py",
    "function_call/parser_names.py",
    "utils/common.py",
    "model_executor/cuda_graph_config.py",
)
_FIRST = {
    "reasoning_parser_choices": "REASONING_PARSER_NAMES",
    "tool_call_parser_choices": "TOOL_CALL_PARSER_NAMES",
    "sampling_backend_choices": "BUILT_IN_SAMPLING_BACKENDS",
}
"""Local names in `add_cli_args`, and the constants that they hold."""
_SIMPLE = ("int", "float")
Row = dict[str, Any]


def read(wheel: ZipFile) -> tuple[dict[str, Row], dict[str, str]]:
    """The options by name in the format of the option tables, and each second name's first name, which is a row of its own too."""
    names: dict[str, Any] = {}
    for file in _CONSTANTS:
        names.update(_constants(ast.parse(wheel.read(_ROOT + file))))
    rows: dict[str, Row] = {}
    aliases: dict[str, str] = {}
    for file in sorted(wheel.namelist()):
        if file.startswith(f"{_ROOT}arg_groups/fields/") and file.endswith(".py"):
            for option, row, first in _fields(ast.parse(wheel.read(file)), names):
                rows[option] = row
                aliases |= {option: first} if option != first else {}
    for option, row in _calls(ast.parse(wheel.read(_SERVER_ARGS)), names):
        rows[option] = row
    return dict(sorted(rows.items())), dict(sorted(aliases.items()))


def _fields(module: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[str, Row, str]]:
    for node in ast.walk(module):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.annotation, ast.Subscript):
            continue
        if ast.unparse(node.annotation.value) != "A" or not isinstance(node.annotation.slice, ast.Tuple):
            continue
        kind, about = node.annotation.slice.elts[:2]
        about_arg = isinstance(about, ast.Call) and ast.unparse(about.func) == "Arg"
        given = {one.arg: one.value for one in about.keywords if one.arg} if isinstance(about, ast.Call) else {}
        # Fields that are only derived (`Derived(..)`), or kept off the command line, are no options.
        if (isinstance(about, ast.Call) and not about_arg) or "no_cli" in given:
            continue
        field = ast.unparse(node.target)
        own = [_value(given["cli_name"], names) if "cli_name" in given else "--" + field.replace("_", "-")]
        row = _row(kind, given, node.value, names)
        for option in own + (_value(given["aliases"], names) if "aliases" in given else []):
            yield option, row, own[0]
            if ast.unparse(given.get("action", ast.Constant(None))) == "argparse.BooleanOptionalAction":
                no = option.replace("--", "--no-", 1)
                yield no, row, no


def _row(kind: ast.expr, given: Mapping[str, ast.expr], default: ast.expr | None, names: Mapping[str, Any]) -> Row:
    plain = re.sub(r"^Optional\[(.*)\]$", r"\1", ast.unparse(kind))
    words: dict[str, ast.expr] = {}
    if isinstance(more := given.get("action_kwargs"), ast.Dict):
        words = {ast.literal_eval(key): one for key, one in zip(more.keys, more.values, strict=True) if key}
    nargs = _value(given.get("nargs") or words.get("nargs") or ast.Constant(None), names)
    choices = _value(given["choices"], names) if "choices" in given else None
    action = ast.unparse(given["action"]) if "action" in given else ""
    parser = ast.unparse(given["type_parser"]).rsplit(".", 1)[-1] if "type_parser" in given else None
    if plain.startswith("Literal["):
        values = ast.literal_eval(f"({plain[8:-1]},)")
        choices, plain = choices or list(values), type(values[0]).__name__
    listed = re.fullmatch(r"(?:List|list)\[(.*)\]", plain)
    if action == "argparse.BooleanOptionalAction" or (plain == "bool" and not action):
        nargs, parser = 0, "None"
    elif listed and not parser:
        nargs, plain = nargs or "+", listed[1]
    return {
        "nargs": nargs,
        "choices": None if choices is None else [str(one) for one in choices],
        "type": parser or (plain if plain in _SIMPLE else "str"),
        "default": "None" if default is None else _text(default),
    }


def _calls(module: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "parser.add_argument":
            continue
        given = {one.arg: one.value for one in node.keywords if one.arg}
        flag = "action" in given and "nargs" not in given
        choices = _value(given["choices"], names) if "choices" in given else None
        row = {"nargs": 0 if flag else None, "choices": choices, "type": "None" if flag else "str"}
        for option in node.args:
            yield ast.literal_eval(option), {**row, "default": "False" if flag else "None"}


def _constants(module: ast.Module) -> Iterator[tuple[str, Any]]:
    known: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == "Backend":
            known[f"{node.name}.ALL"] = _members(node, "ALL")
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        found = _value(node.value, known)
        if isinstance(found, list | str):
            known[node.targets[0].id] = found
    yield from known.items()


def _members(node: ast.ClassDef, name: str) -> list[str]:
    """The list `name` of a class, whose elements are the class's own constants."""
    known: dict[str, Any] = {}
    for one in node.body:
        if isinstance(one, ast.Assign):
            known[ast.unparse(one.targets[0])] = _value(one.value, known)
    return known[name]


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression of literals and known names is; None where it is anything else."""
    match node:
        case ast.Name(id=name):
            return names.get(_FIRST.get(name, name))
        case ast.Attribute():
            return names.get(ast.unparse(node))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _value(left, names), _value(right, names)
            return None if one is None or other is None else [*one, *other]
        case ast.Call(func=ast.Name(id="frozenset" | "set" | "list"), args=[inner]):
            found = _value(inner, names)
            return sorted(found) if found else found
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            found = [_value(one, names) for one in elements]
            return None if None in found and not any(isinstance(one, ast.Constant) for one in elements) else found
        case ast.Constant(value=value):
            return value
    return None


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Call(keywords=[ast.keyword(arg="default_factory", value=ast.Name(id="list"))]):
            return "[]"
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return str(int(_text(left)) * int(_text(right)))
    return ast.unparse(node)


def main(path: str) -> None:
    """Print the table of a wheel."""
    with ZipFile(path) as wheel:
        rows, aliases = read(wheel)
        info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        version = re.search(r"^Version: (.*)$", wheel.read(info).decode(), re.M)
    header = {
        "source": f"sglang/srt/arg_groups/fields and sglang/srt/server_args.py in the wheel of sglang {version and version[1]} (PyPI)",
        "date": datetime.now(UTC).date().isoformat(),
        "notes": [
            'nargs 0: a flag without a value. type and default are texts; "None" is no default: decided at start.',
            "Made by catalog/read_sglang_wheel.py. --no-x is listed only for flags that have it (argparse.BooleanOptionalAction).",
        ],
        "aliases": aliases,
    }
    head = json.dumps(header, indent=2)[1:-2]
    body = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    print(f'{{{head},\n  "rows": {{\n{body}\n  }}\n}}')


if __name__ == "__main__":
    main(sys.argv[1])
