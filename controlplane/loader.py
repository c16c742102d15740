"""Texts to objects: parse every document, refuse duplicates, say what is wrong and where."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controlplane.objects import Object, ObjectKey
from controlplane.parse.document import parse_document
from controlplane.problems import Problem, Report
from controlplane.references import check_references
from controlplane.yamltree import compose

SUFFIXES = (".yaml", ".yml")
_READINGS = 10
"""How often a directory is read at most that never stops changing."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What some texts say. With `errors` the objects are what could be read, and not fit to be served."""

    objects: tuple[Object, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def parse_texts(texts: Mapping[str, str]) -> Loaded:
    """Parse files given as label → text, each in itself; a pure function."""
    files = [_parse_text(file, text) for file, text in texts.items()]
    objects = tuple(thing for one in files for thing in one.objects)
    errors = [error for one in files for error in one.errors] + _duplicates(objects)
    warnings = [warning for one in files for warning in one.warnings]
    return Loaded(objects, tuple(sorted(errors)), tuple(sorted(warnings)))


_KEPT = 4_096
_parsed: dict[str, tuple[str, Loaded]] = {}
"""Files as they were last parsed: of a directory that has changed most files have not."""


def _parse_text(file: str, text: str) -> Loaded:
    """One file; what it was before is forgotten, or memory would grow with every change."""
    known = _parsed.pop(file, None)
    if known is None or known[0] != text:
        known = text, _parse_anew(file, text)
    _parsed[file] = known
    if len(_parsed) > _KEPT:
        del _parsed[next(iter(_parsed))]
    return known[1]


def _parse_anew(file: str, text: str) -> Loaded:
    objects: list[Object] = []
    errors: list[Problem] = []
    warnings: list[Problem] = []
    documents, broken = compose(text, file)
    for report in broken:
        errors += report.errors
    for document in documents:
        report = Report(file, document.number)
        found = parse_document(document, report)
        errors += report.errors
        warnings += report.warnings
        if found is not None:
            objects.append(found)
    return Loaded(tuple(objects), tuple(errors), tuple(warnings))


def _duplicates(objects: Iterable[Object]) -> list[Problem]:
    first: dict[ObjectKey, Object] = {}
    found = []
    for thing in objects:
        other = first.setdefault(thing.meta.key, thing)
        if other is not thing:
            meta = thing.meta
            message = (
                f"{meta.kind} {meta.namespace}/{meta.name} is already defined in {other.meta.file},"
                f" line {other.meta.line}"
            )
            found.append(Problem(meta.file, meta.document, meta.line, "metadata.name", message))
    return found


def load_texts(texts: Mapping[str, str]) -> Loaded:
    """Parse files given as label → text, and check what they refer to among themselves."""
    loaded = parse_texts(texts)
    if loaded.errors:
        return loaded
    warnings = sorted((*loaded.warnings, *check_references(loaded.objects)))
    return Loaded(loaded.objects, loaded.errors, tuple(warnings))


def merge(
    current: tuple[Object, ...], texts: Mapping[str, str], remove: Iterable[ObjectKey] = ()
) -> tuple[Loaded, tuple[Object, ...]]:
    """Validate texts in themselves and over the current objects, without applying anything.

    Returns the verdict, whose objects are those of the texts alone, and the whole merged object set.
    """
    loaded = parse_texts(texts)
    gone = {*remove, *(thing.meta.key for thing in loaded.objects)}
    merged = (*(thing for thing in current if thing.meta.key not in gone), *loaded.objects)
    if loaded.errors:
        return loaded, merged
    # A reference may break in an object that stays, when what it named is removed: that counts as well, but
    # not what was known of those objects before.
    known = {problem for problem in check_references(current) if problem.file not in texts}
    fresh = (problem for problem in check_references(merged) if problem not in known)
    return Loaded(loaded.objects, (), tuple(sorted((*loaded.warnings, *fresh)))), merged


def read_directory(path: str | os.PathLike[str]) -> tuple[dict[str, str], list[Problem]]:
    """Every YAML file under a directory, by its path relative to it; what cannot be read is a problem.

    It is read anew where it changed meanwhile: of a file that came and one that went for it, neither might
    have been seen, and a service would have lost its endpoints.
    """
    root = Path(path)
    if not root.is_dir():
        return {}, [Problem(str(root), 0, 0, "", "is not a directory that can be read")]
    files = _files(root)
    for _ in range(_READINGS):
        texts: dict[str, str] = {}
        problems: list[Problem] = []
        for file in sorted(files):
            found, wrong = read_file(file, file.relative_to(root).as_posix())
            texts |= found
            problems += wrong
        before, files = files, _files(root)
        if files == before:
            break
    return texts, problems


def _files(root: Path) -> dict[Path, tuple[int, int, int]]:
    """The YAML files there, each with what changes when it does."""
    found = {}
    for file in root.rglob("*"):
        if file.suffix in SUFFIXES and file.is_file():
            with suppress(OSError):
                stat = file.stat()
                found[file] = stat.st_ino, stat.st_mtime_ns, stat.st_size
    return found


def read_file(path: Path, label: str = "") -> tuple[dict[str, str], list[Problem]]:
    """One file, by a label (its path where none is given); one that has just been removed is neither."""
    label = label or str(path)
    try:
        return {label: path.read_text(encoding="utf-8")}, []
    except FileNotFoundError:
        return {}, []
    except UnicodeDecodeError as error:
        return {}, [Problem(label, 0, 0, "", f"is not UTF-8 text: {error.reason}")]
    except OSError as error:
        return {}, [Problem(label, 0, 0, "", f"cannot be read: {error.strerror}")]


def load_directory(path: str | os.PathLike[str]) -> Loaded:
    """Read and parse a directory of Istio YAML."""
    texts, problems = read_directory(path)
    loaded = load_texts(texts)
    return Loaded(loaded.objects, tuple(sorted((*problems, *loaded.errors))), loaded.warnings)
