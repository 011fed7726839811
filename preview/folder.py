"""The folder that a render writes: only what an earlier render left there is ever replaced or removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

MARKER: Final = ".llm-serving-render"
_HEADING: Final = "# Files written by `llm-serving render`. The next render into this folder replaces them.\n"


class OutputFolderError(Exception):
    """The folder holds something that is not from a render; nothing was changed."""


def write_folder(folder: Path, files: Mapping[str, str], executable: Iterable[str] = ()) -> None:
    """Make `folder` hold `files` (relative path with `/` -> text) beside whatever else it holds already.

    The folder must be absent, empty, or carry the marker of an earlier render, whose files are removed first.
    Raises `OutputFolderError` otherwise, and where a file that no render wrote is in the way.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputFolderError(f"{folder} is a file; name a folder that is empty or doesn't exist")
    before = _rendered_before(folder)
    if before is None and folder.exists() and any(folder.iterdir()):
        raise OutputFolderError(
            f"{folder} is not empty and no render wrote it (no {MARKER}); name a folder that is empty or doesn't exist"
        )
    earlier = set(before or ())
    foreign = [name for name in sorted(files) if name not in earlier and _occupied(folder, name)]
    if foreign:
        raise OutputFolderError(f"{folder / foreign[0]} is in the way and no render wrote it; move it elsewhere")

    folder.mkdir(parents=True, exist_ok=True)
    # First the marker with old and new names, so that an interrupted render can be repeated.
    _write_marker(folder, earlier | set(files))
    for name in sorted(earlier - set(files)):
        _remove(folder, name)
    programs = set(executable)
    for name, text in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        path.chmod(0o755 if name in programs else 0o644)
    _write_marker(folder, files)


def _rendered_before(folder: Path) -> list[str] | None:
    marker = folder / MARKER
    if not marker.is_file():
        return None
    names = [line for line in marker.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise OutputFolderError(f"{marker} lists {name!r}, which is outside the folder; delete the folder yourself")
    return names


def _occupied(folder: Path, name: str) -> bool:
    path = folder / name
    parents = [folder / parent for parent in PurePosixPath(name).parents if parent.name]
    return path.exists() or path.is_symlink() or any(p.is_symlink() or p.is_file() for p in parents)


def _remove(folder: Path, name: str) -> None:
    path = folder / name
    if any((folder / parent).is_symlink() for parent in PurePosixPath(name).parents if parent.name):
        return
    path.unlink(missing_ok=True)
    for parent in PurePosixPath(name).parents:
        if parent.name and (folder / parent).is_dir() and not any((folder / parent).iterdir()):
            (folder / parent).rmdir()


def _write_marker(folder: Path, names: Iterable[str]) -> None:
    (folder / MARKER).write_text(_HEADING + "".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
