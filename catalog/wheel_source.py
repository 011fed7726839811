"""Python modules inside a wheel, read without importing them: names are followed through assignments and imports."""

import ast
import zipfile
from functools import cache
from pathlib import Path

Found = tuple[str, ast.AST]
"""A module and the node there that a name stands for."""


class WheelSource:
    """The modules of one package in a wheel, or in a folder that one was unpacked to."""

    def __init__(self, path: Path, package: str) -> None:
        """Raises ValueError when there is no such package."""
        self.package = package
        if path.is_dir():
            files = {one.relative_to(path).as_posix(): one.read_bytes for one in path.glob(f"{package}/**/*.py")}
            metadata = [one.read_text("utf-8") for one in path.glob(f"{package}-*.dist-info/METADATA")]
        else:
            archive = zipfile.ZipFile(path)
            names = [name for name in archive.namelist() if name.startswith(f"{package}/") and name.endswith(".py")]
            files = {name: lambda name=name: archive.read(name) for name in names}
            heads = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            metadata = [archive.read(name).decode() for name in heads]
        if not files:
            raise ValueError(f"{path}: no package {package} in it")
        self._files = files
        versions = [line.removeprefix("Version: ") for text in metadata for line in text.splitlines()]
        self.version = next((text for text in versions if text[:1].isdigit()), "unknown")
        self.tree = cache(self._tree)
        self.names = cache(self._names)

    def modules(self, prefix: str = "") -> list[str]:
        """Names of the modules whose file lies below `prefix`."""
        return sorted(name for name in self._files if name.startswith(f"{self.package}/{prefix}"))

    def text(self, file: str) -> str:
        """Source of a file."""
        return self._files[file]().decode()

    def file(self, module: str) -> str | None:
        """The file of a dotted module name, or None."""
        base = module.replace(".", "/")
        return next((name for name in (f"{base}.py", f"{base}/__init__.py") if name in self._files), None)

    def find(self, definition: str) -> str:
        """The only module in which a line begins with `definition`, such as `def make_arg_parser`.

        Raises ValueError when there is none, or more than one.
        """
        start = f"\n{definition}"
        found = [name for name in self._files if start in "\n" + self.text(name)]
        if len(found) != 1:
            raise ValueError(f"{definition!r} stands in {len(found)} files: {', '.join(found) or 'none'}")
        return found[0].removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def resolve(self, module: str, name: str) -> Found | None:
        """What a name of a module stands for: a class, a function, or the value of an assignment; None outside the package."""
        node = self.names(module).get(name)
        if isinstance(node, ast.ImportFrom):
            source = self._source(module, node)
            original = next(one.name for one in node.names if (one.asname or one.name) == name)
            return self.resolve(source, original) if source else None
        if node is not None:
            return module, node
        stars = [one for one in self.tree(module).body if isinstance(one, ast.ImportFrom) and one.names[0].name == "*"]
        found = (self.resolve(source, name) for one in stars if (source := self._source(module, one)))
        return next((one for one in found if one), None)

    def _source(self, module: str, node: ast.ImportFrom) -> str | None:
        """The module that an import takes names from; None where it isn't in the package."""
        base = module if (self.file(module) or "").endswith("__init__.py") else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            base = base.rpartition(".")[0]
        parts = [base, node.module or ""] if node.level else [node.module or ""]
        source = ".".join(one for one in parts if one)
        return source if self.file(source) else None

    def _tree(self, module: str) -> ast.Module:
        file = self.file(module)
        if file is None:
            raise ValueError(f"no module {module} in the wheel")
        return ast.parse(self.text(file), file)

    def _names(self, module: str) -> dict[str, ast.AST]:
        found: dict[str, ast.AST] = {}
        _collect(self.tree(module).body, found)
        return found


def _collect(body: list[ast.stmt], found: dict[str, ast.AST]) -> None:
    """Names as they are at run time: of `if TYPE_CHECKING`, what the other branch doesn't define counts for annotations."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            found.update({one.asname or one.name: node for one in node.names})
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found.update({one.id: node.value for one in node.targets if isinstance(one, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.If):
            _collect(node.body, found)
            _collect(node.orelse, found)
        elif isinstance(node, ast.Try):
            _collect(node.body, found)
