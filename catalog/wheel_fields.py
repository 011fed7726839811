"""From the annotated fields of vLLM's configuration classes to arguments, as its `get_kwargs` in engine/arg_utils.py makes them."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.wheel_source import WheelSource

_BUILTIN = ("bool", "str", "int", "float", "dict", "list", "set", "tuple", "None")


@dataclass(slots=True)
class Kwargs:
    """What `add_argument` gets for one field."""

    type: str = "None"
    nargs: int | str | None = None
    choices: list[str] | None = None
    default: str = "None"
    flag: bool = False
    fields: str | None = None
    """The dataclass that a JSON value fills: `module:name`."""


@dataclass(slots=True)
class Hints:
    """The members of an annotation."""

    plain: set[str] = field(default_factory=set)
    literal: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    """Choices of the items of a list."""
    item: str = "str"
    dataclass: str | None = None
    others: int = 0


class FieldReader:
    """Reads dataclasses of one wheel."""

    def __init__(self, source: WheelSource) -> None:
        self.source = source
        self.human = _set_named(source.tree(source.find("def get_kwargs(")), "human_readable_int_args")

    def fields(self, module: str, name: str) -> dict[str, tuple[str, ast.AnnAssign]]:
        """Fields of a dataclass and of its bases, in order, with the module that each stands in."""
        place = self.source.resolve(module, name)
        if place is None:
            return {}
        where, node = place
        if not isinstance(node, ast.ClassDef):
            return {}
        found: dict[str, tuple[str, ast.AnnAssign]] = {}
        for base in reversed(node.bases):
            if isinstance(base, ast.Name):
                found |= self.fields(where, base.id)
        for one in node.body:
            if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name):
                continue
            if "ClassVar" not in ast.unparse(one.annotation):
                found[one.target.id] = (where, one)
        return found

    def kwargs(self, module: str, name: str) -> dict[str, Kwargs]:
        """The arguments of every field of a dataclass."""
        return {key: self._one(key, where, node) for key, (where, node) in self.fields(module, name).items()}

    def choices(self, where: str, node: ast.AnnAssign) -> list[str] | None:
        """The values of a field that is a `Literal` and no other text; None where it isn't one."""
        hints = self._hints(where, node.annotation, Hints())
        return sorted({str(one) for one in hints.literal}) if hints.literal and "str" not in hints.plain else None

    def literal(self, where: str, node: ast.AST) -> list[str]:
        """The values of a `Literal` type that an expression names."""
        return [str(one) for one in self._hints(where, node, Hints()).literal]

    def _one(self, key: str, where: str, node: ast.AnnAssign) -> Kwargs:
        hints = self._hints(where, node.annotation, Hints())
        found = Kwargs(default=self.value(where, node.value))
        plain = hints.plain
        if hints.dataclass:
            found.type, found.fields = "parse_dataclass", hints.dataclass
        elif plain == {"bool", "str", "None"} and not (hints.literal or hints.others):
            found.type, found.nargs = "str", "?"
            return found
        elif "bool" in plain:
            found.flag, found.nargs = True, 0
            return found
        elif hints.literal:
            found.type = type(hints.literal[0]).__name__
            found.choices = None if "str" in plain else [str(one) for one in sorted(hints.literal)]
        elif plain & {"tuple", "list", "set"}:
            found.type, found.nargs = hints.item, "+"
            if hints.items:
                found.type, found.choices = "str", sorted(map(str, hints.items))
        elif "int" in plain:
            human = "human_readable_int" if key in self.human else "int"
            found.type = "human_readable_int_or_auto" if key == "max_model_len" else human
        elif "float" in plain:
            found.type = "float"
        elif "dict" in plain:
            found.type = "union_dict_and_str" if "str" in plain or hints.others else "_parse_type"
        else:
            found.type = "str"
        return _optional(found) if "None" in plain else found

    def _hints(self, where: str, node: ast.AST, found: Hints) -> Hints:
        match node:
            case ast.Constant(value=None):
                found.plain.add("None")
            case ast.Constant(value=str(text)):
                self._hints(where, ast.parse(text, mode="eval").body, found)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                self._hints(where, left, found)
                self._hints(where, right, found)
            case ast.Name(id=name):
                self._named(where, name, found)
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                self._subscripted(where, name, inner, found)
            case _:
                found.others += 1
        return found

    def _subscripted(self, where: str, name: str, inner: ast.AST, found: Hints) -> None:
        members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        match name:
            case "Literal":
                found.literal += self._values(where, members)
            case "Optional" | "Union":
                for one in members:
                    self._hints(where, one, found)
                if name == "Optional":
                    found.plain.add("None")
            case "Annotated" | "SkipValidation" | "InitVar":
                self._hints(where, members[0], found)
            case "list" | "set" | "tuple":
                found.plain.add(name)
                item = self._hints(where, members[0], Hints())
                found.items, simple = item.literal, sorted(item.plain - {"None"})
                found.item = simple[0] if len(simple) == 1 and not item.others else "str"
            case "dict":
                found.plain.add("dict")
            case _:
                found.others += 1

    def _values(self, where: str, members: Sequence[ast.AST]) -> Iterator[Any]:
        for one in members:
            if isinstance(one, ast.Constant):
                yield one.value
                continue
            inner = self._hints(where, one, Hints())
            yield from inner.literal

    def _named(self, where: str, name: str, found: Hints) -> None:
        if name in _BUILTIN:
            found.plain.add(name)
            return
        place = self.source.resolve(where, name)
        if place is None:
            found.others += 1
            return
        module, node = place
        if not isinstance(node, ast.ClassDef):
            self._hints(module, node, found)
        elif any("config" in (text := ast.unparse(one)) or "dataclass" in text for one in node.decorator_list):
            found.dataclass = f"{module}:{node.name}"
        elif any(ast.unparse(base).partition("[")[0] == "dict" for base in node.bases):
            found.plain.add("dict")
        else:
            found.others += 1

    def value(self, where: str, node: ast.AST | None) -> str:
        """A value as text: of a constant what it is, of anything else its source."""
        match node:
            case None:
                return "None"
            case ast.Constant(value=value):
                return str(value)
            case ast.Call(func=ast.Name(id="Field" | "field"), keywords=keywords, args=args):
                given = {one.arg: one.value for one in keywords}
                if args and isinstance(args[0], ast.Constant) and args[0].value is not ...:
                    return str(args[0].value)
                if "default" in given:
                    return self.value(where, given["default"])
                return _made(given.get("default_factory"))
            case ast.Name(id=name) if place := self.source.resolve(where, name):
                return self.value(*place)
            case ast.Call(func=ast.Name(id="int" | "float"), args=[ast.Constant(value=value)]):
                return str(value)
            case ast.BinOp() | ast.UnaryOp() | ast.List() | ast.Dict():
                return _evaluated(node)
        return "None" if node is None else ast.unparse(node)


def _optional(found: Kwargs) -> Kwargs:
    found.type = "_optional_type"
    if found.choices:
        found.choices.append("None")
    return found


def _made(factory: ast.AST | None) -> str:
    if isinstance(factory, ast.Lambda):
        return _evaluated(factory.body)
    name = ast.unparse(factory) if factory else "None"
    return {"list": "[]", "dict": "{}", "set": "set()"}.get(name, f"{name}()")


def _evaluated(node: ast.AST) -> str:
    text = ast.unparse(node)
    try:
        return str(ast.literal_eval(text))
    except ValueError:
        return text  # an expression, as it stands


def _set_named(tree: ast.Module, name: str) -> frozenset[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and isinstance(node.value, ast.Set):
            return frozenset(ast.literal_eval(node.value))
    return frozenset()
