"""YAML text to plain data, with the place of every key and value. Pure.

Places are looked up in the nodes by path, so a file without mistakes pays nothing for them. Plain data is what the
Pulumi CLI reads (`stacks.scalars`), less what can only be an accident: a key that is there twice or isn't text, a tag,
a second document.
"""

import math
from typing import Any

import yaml

from stacks.composer import Mistake, Place, Refused, compose, start
from stacks.problem import Path, quoted
from stacks.scalars import resolve

_MOST_ALIASED, _ALIASED_FACTOR = 50_000, 20
"""An alias repeats what its anchor holds: all values may be this many, or this many times those written out."""
_MERGE = "<<"


class Document:
    """Plain data of a YAML text, its mistakes, and places by path. `data` is None where the text has no values."""

    def __init__(self, content: bytes) -> None:
        self.data: Any = None
        self.mistakes: list[Mistake] = []
        self._root: yaml.Node | None = None
        self._index: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}
        try:
            self._root = compose(content)
            self.data = _Conversion(self.mistakes).value(self._root, ()) if self._root else None
        except Refused as error:
            self.mistakes.append(error.mistake)

    def place(self, path: Path) -> Place | None:
        """Where the value of `path` starts."""
        node = self._find(path)
        return start(node) if node else None

    def key_place(self, path: Path) -> Place | None:
        """Where the key of `path` is; for a list's item, where it starts."""
        if not path or isinstance(path[-1], int):
            return self.place(path)
        parent = self._find(path[:-1])
        if not isinstance(parent, yaml.MappingNode):
            return None
        found = self._entries(parent).get(path[-1])
        return start(found[0]) if found else None

    def best_place(self, path: Path, *, key: bool = False) -> Place | None:
        """Where to look for `path`: at its value where that is a scalar and not the `key` itself is meant, else at its
        key, else at the key of the closest thing around it that the file has."""
        if not key and isinstance(self._find(path), yaml.ScalarNode):
            return self.place(path)
        return next((place for end in range(len(path), -1, -1) if (place := self.key_place(path[:end]))), None)

    def _find(self, path: Path) -> yaml.Node | None:
        node = self._root
        for key in path:
            if isinstance(node, yaml.MappingNode) and isinstance(key, str):
                found = self._entries(node).get(key)
                node = found[1] if found else None
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
                node = node.value[key]
            else:
                return None
        return node

    def _entries(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        known = self._index.get(id(node))
        if known is None:
            self._index[id(node)] = known = {}
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and not _is_merge(key):
                    known.setdefault(key.value, (key, value))
            for key, value in node.value:
                if _is_merge(key):
                    for source in _merged(value):
                        for name, entry in self._entries(source).items():
                            known.setdefault(name, entry)
        return known


class _Conversion:
    """Nodes to plain data; what aliases repeat is converted once and shared."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self._mistakes = mistakes
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._size = self._written = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The plain value of a node; `path` is where it stands."""
        self._size += 1
        if isinstance(node, yaml.ScalarNode):
            self._written += 1
            return self._scalar(node, path)
        known = self._done.get(id(node))
        if known is not None:
            self._size += known[1]
            if self._size > _MOST_ALIASED + _ALIASED_FACTOR * self._written:
                raise Refused(Mistake("aliases repeat too many values", start(node), path))
            return known[0]
        if id(node) in self._open:
            raise Refused(Mistake("an anchor (&) that contains an alias (*) of itself", start(node), path))
        self._open.add(id(node))
        self._written += 1
        before = self._size
        if isinstance(node.tag, str) and node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._note(f"tag {quoted(node.tag)}: a stack file has no tags", node, path)
        if isinstance(node, yaml.MappingNode):
            result: Any = self._mapping(node, path)
        else:
            result = [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        self._open.discard(id(node))
        self._done[id(node)] = result, self._size - before
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        tag = node.tag
        if isinstance(tag, str):
            if tag != "tag:yaml.org,2002:str":
                self._note(f"tag {quoted(tag)}: a stack file has no tags", node, path)
            return node.value
        if not tag[0]:
            return node.value
        value = resolve(node.value)
        if isinstance(value, float) and not math.isfinite(value):
            self._note(f"{node.value} is no number that Pulumi can hold", node, path, "CFG006")
            return 0
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        keys: dict[str, yaml.Node] = {}
        merges = []
        for key, value in node.value:
            name = self._key(key, path)
            if name is None:
                continue
            if name in keys:
                first = start(keys[name])
                self._note(f"this key is there already at {first.line}:{first.column}", key, (*path, name), "CFG003")
                continue
            keys[name] = key
            if _is_merge(key):
                merges.append(value)
            else:
                result[name] = self.value(value, (*path, name))
        for merge in merges:
            sources = _merged(merge)
            if len(sources) < (len(merge.value) if isinstance(merge, yaml.SequenceNode) else 1):
                self._note("<< takes a mapping, or a list of mappings", merge, (*path, _MERGE))
            for source in sources:  # of several sources the first one wins
                result = {**self.value(source, path), **result}
        return result

    def _key(self, key: yaml.Node, path: Path) -> str | None:
        if not isinstance(key, yaml.ScalarNode):
            self._note("a mapping or list can't be a key; put a {{ placeholder }} in quotes", key, path)
            return None
        if isinstance(key.tag, str) and key.tag != "tag:yaml.org,2002:str":
            self._note(f"tag {quoted(key.tag)}: a stack file has no tags", key, path)
        elif not isinstance(key.tag, str) and key.tag[0] and not isinstance(resolve(key.value), str):
            word = f"the key {key.value}" if key.value else "an empty key"
            self._note(f"{word} isn't text; put it in quotes", key, (*path, key.value))
        return key.value

    def _note(self, message: str, node: yaml.Node, path: Path, code: str = "CFG002") -> None:
        self._mistakes.append(Mistake(message, start(node), path, code))


def _is_merge(key: yaml.Node) -> bool:
    return (
        isinstance(key, yaml.ScalarNode) and key.value == _MERGE and not isinstance(key.tag, str) and bool(key.tag[0])
    )


def _merged(value: yaml.Node) -> list[yaml.MappingNode]:
    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return [node for node in nodes if isinstance(node, yaml.MappingNode)]
