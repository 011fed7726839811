"""For maintainers: the option table of a vLLM release, from its wheel. Nothing is imported or run.

    pip download --no-deps vllm==0.33.0
    python -m catalog.read_vllm_wheel vllm-0.33.0-*.whl > catalog/data/vllm_options_0.33.0.json

It follows `make_arg_parser` through the sources: `add_argument` calls, and the fields of the configuration classes that they name.
Next to the options it lists what the parser doesn't check: keys of JSON options, names of parsers, connectors, metrics.
What a release supports on which GPU (vllm_support.json) and what became of options (vllm_names.json) is not read: look at the diff
of the new table with the one before.
"""

import ast
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog.wheel_details import details
from catalog.wheel_fields import FieldReader, Kwargs
from catalog.wheel_source import WheelSource

Groups = dict[str, dict[str, Kwargs]]


class ParserReader:
    """The arguments that a function of the wheel adds to its parser, by option string."""

    def __init__(self, source: WheelSource) -> None:
        self.source, self.fields = source, FieldReader(source)
        self.paired = "class EnableDisableAction" in source.text("vllm/utils/argparse_utils.py")
        self.rows: dict[str, Kwargs] = {"--help": Kwargs(nargs=0, default="==SUPPRESS=="), "-h": Kwargs(nargs=0)}
        self.rows["-h"].default = "==SUPPRESS=="

    def read(self) -> None:
        """All of them."""
        module = self.source.find("class FrontendArgs(")
        self._function(module, self.source.names(module)["make_arg_parser"])

    def _function(self, module: str, node: ast.AST) -> None:
        assert isinstance(node, ast.FunctionDef)
        groups: Groups = {}
        for one in _statements(node.body):
            self._statement(module, one, groups)

    def _statement(self, module: str, node: ast.stmt, groups: Groups) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if found := self._kwargs(module, value, groups):
                groups[name] = found
            case ast.Assign(targets=[ast.Subscript(value=inner, slice=ast.Constant(value=str(key)))], value=value):
                if one := _entry(inner, groups):
                    _set(one, key, value)
            case ast.Delete(targets=[ast.Subscript(value=inner)]) if one := _entry(inner, groups):
                one.nargs = None
            case ast.AugAssign(target=ast.Subscript(value=inner, slice=ast.Constant(value="choices"))):
                if one := _entry(inner, groups):
                    one.choices = None  # more values than a literal list: the diff shows it
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Subscript() as inner, attr="remove"), args=[gone])
            ):
                if (one := _entry(inner.value, groups)) and one.choices:
                    one.choices.remove(self.fields.value(module, gone))
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add_argument")) as call):
                self._argument(module, call, groups)
            case ast.Assign(value=ast.Call(func=ast.Attribute(value=ast.Name(id=cls), attr="add_cli_args"))):
                self._class(module, cls)

    def _kwargs(self, module: str, value: ast.AST, groups: Groups) -> dict[str, Kwargs] | None:
        """`get_kwargs(Class)`, one entry of it, or one of a name that stands for it."""
        match value:
            case ast.Call(func=ast.Name(id="get_kwargs"), args=[ast.Name(id=cls)]):
                return self.fields.kwargs(module, cls)
            case ast.Subscript(value=ast.Call() as inner, slice=ast.Constant(value=str(key))):
                found = self._kwargs(module, inner, groups)
                return {"": found[key]} if found else None
            case ast.Subscript() if one := _entry(value, groups):
                return {"": one}
        return None

    def _class(self, module: str, cls: str) -> None:
        """`add_cli_args` of a class: its own where it has one that names options, else one option for each field."""
        place = self.source.resolve(module, cls)
        assert place is not None
        where, node = place
        methods = {one.name: one for one in _members(node)}
        own = methods.get("add_cli_args")
        if own is not None and "frontend_kwargs.items()" not in ast.unparse(own):
            self._function(where, own)
            return
        found = {"frontend_kwargs": self.fields.kwargs(where, cls)}
        for parent in reversed([(where, node), *self._bases(where, node)]):
            for one in _members(parent[1]):
                if one.name in ("_customize_cli_kwargs", "add_cli_args"):
                    for statement in _statements(one.body):
                        self._statement(parent[0], statement, found)
        for key, kwargs in found["frontend_kwargs"].items():
            self._add([f"--{key.replace('_', '-')}"], kwargs)

    def _bases(self, where: str, node: ast.AST) -> list[tuple[str, ast.AST]]:
        names = [one.id for one in getattr(node, "bases", []) if isinstance(one, ast.Name)]
        return [place for name in names if (place := self.source.resolve(where, name))]

    def _argument(self, module: str, call: ast.Call, groups: Groups) -> None:
        names = [one.value for one in call.args if isinstance(one, ast.Constant)]
        kwargs = Kwargs(type="None")
        for one in call.keywords:
            if one.arg is None:
                kwargs = _spread(one.value, groups)
            elif one.arg == "choices" and isinstance(one.value, ast.Call):
                kwargs.choices = self.fields.literal(module, one.value.args[0])
            else:
                _set(kwargs, one.arg, one.value)
        if any(str(name).startswith("-") for name in names):
            self._add([str(name) for name in names], kwargs)

    def _add(self, names: list[str], kwargs: Kwargs) -> None:
        found = list(names)
        for name in names:
            if kwargs.flag and name.startswith("--"):
                flipped = [("--enable-", "--disable-"), ("--disable-", "--enable-")] if self.paired else []
                other = next((name.replace(a, b, 1) for a, b in flipped if name.startswith(a)), None)
                found.append(other or f"--no-{name[2:]}")
        self.rows.update(dict.fromkeys(found, kwargs))


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """In order, with those under an `if`: what depends on the command line itself is part of the parser all the same."""
    return [inner for one in body for inner in (_statements(one.body) if isinstance(one, ast.If) else [one])]


def _members(node: ast.AST) -> list[ast.FunctionDef]:
    return [one for one in getattr(node, "body", []) if isinstance(one, ast.FunctionDef)]


def _entry(node: ast.AST, groups: Groups) -> Kwargs | None:
    """`model_kwargs["dtype"]`, or a name that stands for it."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))):
            return groups.get(name, {}).get(key)
        case ast.Name(id=name):
            return groups.get(name, {}).get("")
    return None


def _spread(node: ast.AST, groups: Groups) -> Kwargs:
    if isinstance(node, ast.Dict):
        found = _spread(node.values[0], groups)
        for key, value in zip(node.keys[1:], node.values[1:], strict=True):
            assert isinstance(key, ast.Constant)
            _set(found, str(key.value), value)
        return found
    one = _entry(node, groups)
    if one is None:
        raise ValueError(f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)} isn't understood")
    return one


def _set(kwargs: Kwargs, key: str, value: ast.AST) -> None:
    text = ast.unparse(value)
    match key:
        case "type":
            name = "<lambda>" if isinstance(value, ast.Lambda) else text.partition("(")[0].rpartition(".")[2]
            kwargs.type = {"optional_type": "_optional_type", "parse_type": "_parse_type"}.get(name, name)
        case "action":
            if "BooleanOptionalAction" in text:
                kwargs.flag, kwargs.nargs = True, 0
            elif text in ("'store_true'", "'store_false'"):
                kwargs.nargs, kwargs.default = 0, "False"
        case "nargs":
            kwargs.nargs = ast.literal_eval(text)
        case "default":
            plain = str(value.value) if isinstance(value, ast.Constant) else text
            kwargs.default = "==SUPPRESS==" if text == "argparse.SUPPRESS" else plain
        case "choices" if isinstance(value, ast.List):
            kwargs.choices = ast.literal_eval(text)


def table(path: Path) -> dict[str, Any]:
    """The whole table of a wheel, or of a folder that one was unpacked to. Raises ValueError where the sources have another form."""
    source = WheelSource(path, "vllm")
    reader = ParserReader(source)
    reader.read()
    rows = {
        name: {"nargs": one.nargs, "choices": one.choices, "type": one.type, "default": one.default[:80]}
        for name, one in sorted(reader.rows.items())
    }
    return {
        "source": f"sources of `vllm serve` in the PyPI wheel vllm {source.version} (catalog/read_vllm_wheel.py)",
        "date": datetime.now(UTC).date().isoformat(),
        "notes": [
            'nargs 0: a flag without a value. type and default are texts as the parser has them; "None" is no default.'
        ],
        "repairs": {},
        "rows": rows,
        **details(source, reader.fields),
    }


def written(found: dict[str, Any]) -> str:
    """A table as text, one row a line."""
    lines = []
    for key, value in found.items():
        if isinstance(value, dict) and value:
            rows = ",\n".join(
                f"    {json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in value.items()
            )
            lines.append(f"  {json.dumps(key)}: {{\n{rows}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def main(arguments: list[str]) -> int:
    """Prints the table of the wheel that is named."""
    if len(arguments) != 1:
        print("usage: python -m catalog.read_vllm_wheel WHEEL", file=sys.stderr)
        return 2
    print(written(table(Path(arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
