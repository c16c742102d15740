"""What changes from one landscape to another: as steps that lose no call, and as a diff for people. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import yaml

from lanes.landscape import DESTINATION_RULE, Document, Key, Landscape, maps, spec_of

Verdict = Literal["created", "configured", "deleted"]


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after; None where it is not there."""

    key: Key
    before: Document | None
    after: Document | None

    @property
    def verdict(self) -> Verdict:
        """What happens to the object, in kubectl's words."""
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "configured"


@dataclass(frozen=True, slots=True)
class Step:
    """Objects to put in force together, or to take out of force together."""

    apply: tuple[Document, ...] = ()
    delete: tuple[Key, ...] = ()


def changes(before: Landscape, after: Landscape) -> list[Change]:
    """Every object that differs, by key."""
    keys = sorted({*before.objects, *after.objects})
    found = (Change(key, before.objects.get(key), after.objects.get(key)) for key in keys)
    return [change for change in found if change.before != change.after]


def steps(changed: Iterable[Change]) -> list[Step]:
    """The order in which to carry changes out so that no rule ever points at a subset that is gone.

    First what is new, with the old subsets beside the new; then rules go, then subsets that nobody uses.
    """
    todo = list(changed)
    first = [wider for change in todo if (wider := _widened(change)) not in (None, change.before)]
    last = [change.after for change in todo if change.after is not None and change.after != _widened(change)]
    gone = [change.key for change in todo if change.after is None]
    found = [
        Step(apply=tuple(document for document in first if document is not None)),
        Step(delete=tuple(key for key in gone if key.kind != DESTINATION_RULE)),
        Step(apply=tuple(last)),
        Step(delete=tuple(key for key in gone if key.kind == DESTINATION_RULE)),
    ]
    return [step for step in found if step.apply or step.delete]


def _widened(change: Change) -> Document | None:
    """A DestinationRule with what is to go from it still there."""
    if change.key.kind != DESTINATION_RULE or change.after is None or change.before is None:
        return change.after
    kept = maps(spec_of(change.after).get("subsets"))
    names = {subset.get("name") for subset in kept}
    going = [s for s in maps(spec_of(change.before).get("subsets")) if s.get("name") not in names]
    if not going:
        return change.after
    return {**change.after, "spec": {**spec_of(change.after), "subsets": [*kept, *going]}}


def dump(document: object) -> str:
    """Block-style YAML in the order the document was written in."""
    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110))


def dump_all(documents: Iterable[Document]) -> str:
    """A YAML stream that kubectl and `mesh apply` take."""
    return "---\n".join(dump(document) for document in documents)


def diff_lines(changed: Iterable[Change]) -> Iterator[str]:
    """The changes as a unified diff of YAML, object by object."""
    for change in changed:
        yield from text_diff(
            "" if change.before is None else dump(change.before),
            "" if change.after is None else dump(change.after),
            str(change.key),
        )


def text_diff(before: str, after: str, name: str) -> Iterator[str]:
    """Two texts as a unified diff; a text that is not there is /dev/null."""
    yield from difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"a/{name}" if before else "/dev/null",
        f"b/{name}" if after else "/dev/null",
        lineterm="",
    )
