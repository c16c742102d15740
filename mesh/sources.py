"""Where rules come from: files, folders, standard input, text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from mesh.errors import MeshError
from mesh.inventory import NAMESPACE
from mesh.objects import MeshObject, has_list, parse_objects

BASE_RULES = Path(__file__).parent / "config"
CANARY_RULES = Path(__file__).parent / "rules" / "canary"
_SUFFIXES = (".yaml", ".yml", ".json")
# An object of Kubernetes has at most 1.5 MB; this is far above any file of rules, and far below what hurts.
_MAX_BYTES = 16 << 20

Files = Mapping[str, str]
"""YAML texts by the label under which errors name them."""


def read_files(paths: Iterable[Path], *, recursive: bool = False) -> dict[str, str]:
    """The texts of these files, and of every YAML file in these folders."""
    texts: dict[str, str] = {}
    for path in paths:
        for file in _files_at(path, recursive):
            try:
                texts[str(file)] = _text_of(file)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise MeshError(f"{file} cannot be read: {reason}.") from None
    return texts


def _text_of(file: Path) -> str:
    with file.open("rb") as source:
        return decoded(source.read(_MAX_BYTES + 1), str(file))


def decoded(content: bytes, label: str) -> str:
    """A file's text, with line ends as on Unix; MeshError for a file too large to be rules."""
    if len(content) > _MAX_BYTES:
        raise MeshError(f"{label} cannot be read: it is larger than {_MAX_BYTES >> 20} MiB.")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def read_stdin(source: IO[bytes]) -> str:
    """Standard input as text."""
    try:
        return decoded(source.read(_MAX_BYTES + 1), "stdin")
    except UnicodeDecodeError:
        raise MeshError("stdin cannot be read: it is not UTF-8 text.") from None


def as_files(sources: Iterable[str | Path]) -> dict[str, str]:
    """Paths are read, strings are YAML themselves."""
    texts: dict[str, str] = {}
    for number, source in enumerate(sources, start=1):
        if isinstance(source, Path):
            texts.update(read_files([source]))
        else:
            texts[f"text {number}"] = source
    return texts


def objects_in(files: Files, namespace: str = NAMESPACE) -> list[MeshObject]:
    """Every object in these texts, in their order; none at all is an error."""
    found = [item for label, text in files.items() for item in parse_objects(text, label, namespace)]
    if not found:
        raise MeshError(f"There is no object in {', '.join(files) or 'nothing'}.")
    return found


def with_lists_opened(files: Files) -> dict[str, str]:
    """The same texts, with each Kubernetes `List` written out as documents, which is what is read."""
    return {
        label: "---\n".join(item.to_yaml() for item in parse_objects(text, label)) if has_list(text) else text
        for label, text in files.items()
    }


def _files_at(path: Path, recursive: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    pattern = path.rglob("*") if recursive else path.glob("*")
    files = sorted(file for file in pattern if file.suffix in _SUFFIXES and file.is_file())
    if not files:
        raise MeshError(f"There is no YAML file in the folder {path.absolute()}.")
    return files
