"""The support matrix: field by field what this library does, found by trying, beside what its peers do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import descriptor_pool
from proxyless.parse.support import CLOSED, SUPPORTED

from .features import Feature, read_features
from .peers import NOT_CHECKED, Peer, read_peers
from .probe import Resources, Tried, fields_of, is_deprecated, messages_read, read_resources, try_field

HERE = Path(__file__).parent
_GRFCS = "https://github.com/grpc/proposal/blob/master"
_AREAS = {
    "Listeners (LDS)": (
        "envoy.config.listener.",
        "envoy.extensions.filters.network.",
        "envoy.config.core.v3.Http",
    ),
    "Filters": ("envoy.extensions.filters.", "envoy.config.route.v3.FilterConfig"),
    "Routes (RDS)": ("envoy.config.route.",),
    "Clusters (CDS)": ("envoy.config.cluster.", "envoy.extensions.clusters."),
    "Balancing": ("envoy.extensions.load_balancing_policies.",),
    "Endpoints (EDS)": ("envoy.config.endpoint.",),
    "Shared by several": ("",),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One field of one message: our cell, and the peers' in order."""

    message: str
    field: str
    ours: str
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All there is to show, and what is wrong with the data behind it."""

    peers: Sequence[Peer]
    features: Mapping[str, Sequence[Feature]]
    rows: Sequence[Row]
    problems: Sequence[str]


def read(name: str) -> Any:
    """Read a data file of this folder; every scalar is text, so that 1.30 stays 1.30."""
    return yaml.load((HERE / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def make_matrix() -> Matrix:
    """Try every field of every message that is read, and gather what is missing in the data."""
    resources, peers = read_resources(read("resources.yaml")), read_peers(read("peers.yaml"))
    said = read("reasons.yaml")
    reasons, remarks = _by_field(said["reasons"]), said["remarks"]
    rows: list[Row] = []
    problems: list[str] = [f"resources.yaml: holds no {name}" for name in _not_held(resources)]
    used: set[str] = set()
    for name in messages_read(resources):
        tried = {field: try_field(resources, name, field) for field in fields_of(name)}
        if name not in SUPPORTED and not any(_took_effect(each) for each in tried.values()):
            continue  # it stands in a resource, but nobody looks at it
        message = short(name)
        for field, tries in tried.items():
            path = f"{message}.{field}"
            known = field in SUPPORTED.get(name, ())
            cell, given = _ours(tries, known, reasons.get(path, ""), remarks.get(path, ""))
            if given:
                used.add(path)
            if cell is None:
                problems.append(f"reasons.yaml: {path} has no effect, and no reason why")
            problems += _contradictions(name, field, tries)
            rows.append(Row(name, field, cell or "", tuple(peer.does(message, field) for peer in peers)))
    shown = {short(row.message) for row in rows}
    problems += [
        f"reasons.yaml: {path} needs no reason"
        for path in sorted(reasons.keys() | remarks.keys())
        if path not in used and path.rpartition(".")[0] in shown
    ]
    problems += _misspelt(peers, rows)
    return Matrix(peers, read_features(read("features.yaml")), rows, problems)


def short(name: str) -> str:
    """What the page and the data call a message: the part behind its version."""
    return name.partition(".v3.")[2]


def _ours(tries: Sequence[Tried], known: bool, reason: str, remark: str) -> tuple[str | None, bool]:
    """Our cell, or None where a reason is missing; and whether the data's reason or remark was of use."""
    outcomes = {each.outcome for each in tries}
    # A field the table knows, of which one value is refused and another is fine, is looked at.
    if "effect" in outcomes or (known and outcomes == {"silent", "refused"}):
        said = "; ".join(part for part in (_exceptions(tries), remark) if part)
        return (f"partly: {said}" if _exceptions(tries) else f"yes{'; ' if said else ''}{said}"), bool(remark)
    counted = [each for each in tries if each.outcome != "silent"]
    if not counted:
        return (f"nothing to do: {reason}" if reason else None), bool(reason)
    word = {"noted": "reported", "refused": "refused"}[counted[0].outcome]
    why = reason or _why(counted[0])
    return (f"{word}: {why}" if why else None), bool(reason)


def _took_effect(tries: Iterable[Tried]) -> bool:
    return any(each.outcome == "effect" for each in tries)


def _exceptions(tries: Sequence[Tried]) -> str:
    """Which values have no effect where others have one, and what is said of those that have."""
    parts = []
    for outcome, word in (("noted", "reported"), ("refused", "refused"), ("silent", "without a word")):
        values = [_value(each.value) for each in tries if each.outcome == outcome and not _is_default(each)]
        if values:
            parts.append(f"not {', '.join(values)} ({word})")
    parts += dict.fromkeys(_why(each) for each in tries if each.outcome == "effect" and each.said)
    return "; ".join(parts)


def _is_default(tried: Tried) -> bool:
    """Whether it is a value of an enum that changes nothing, for it is what holds where nothing is said."""
    return tried.outcome == "silent" and ":" not in tried.value


def _value(text: str) -> str:
    return "`" + (text.partition(": ")[2].strip('"') or text) + "`"


def _why(tried: Tried) -> str:
    """What the code itself says of a note or a refusal, without the path."""
    text = tried.said.partition("; ")[0]
    if tried.outcome == "refused":
        text = text.partition(": ")[2]
    text = text.partition(": ")[2]
    return "" if text == "has no effect here" else text.removeprefix("has no effect here: ")


def _by_field(reasons: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"{message}.{field}": reason
        for message, groups in reasons.items()
        for reason, fields in groups.items()
        for field in fields.split()
    }


def _not_held(resources: Resources) -> list[str]:
    return sorted(SUPPORTED.keys() - set(messages_read(resources)))


def _contradictions(name: str, field: str, tries: Sequence[Tried]) -> Iterator[str]:
    """Where the table in `parse/support.py` and what parsing does are at odds."""
    known = field in SUPPORTED.get(name, ())
    outcomes = {each.outcome for each in tries}
    if name in SUPPORTED and not known and "effect" in outcomes:
        yield f"support.py: {name}.{field} has an effect, but is not in the table"
    if name in SUPPORTED and not known and outcomes == {"silent"}:
        yield f"support.py: {name}.{field} is not in the table, and yet not reported"
    if name in CLOSED and not known and outcomes != {"refused"}:
        yield f"support.py: {name} is closed, but {field} does not refuse the resource"


def _misspelt(peers: Iterable[Peer], rows: Iterable[Row]) -> Iterator[str]:
    shown = {(short(row.message), row.field) for row in rows}
    messages = {message for message, _ in shown}
    for peer in peers:
        for message, field in peer.named():
            if message in messages and (message, field) not in shown:
                yield f"peers.yaml: {peer.column}: {message} has no field {field}"


# --- the page ---------------------------------------------------------------------------------------------


def render(matrix: Matrix) -> str:
    """The page, as Markdown."""
    head = (HERE / "support-matrix.head.md").read_text(encoding="utf-8").rstrip()
    return "\n".join([head, "", *_peers(matrix), *_features(matrix), *_fields(matrix)]).rstrip() + "\n"


def _peers(matrix: Matrix) -> Iterator[str]:
    yield from ("## What was looked at", "", "| column | version | where |", "| --- | --- | --- |")
    for peer in matrix.peers:
        yield f"| {peer.column} | {peer.title}, {peer.version} | {peer.looked_at} |"
    yield ""


def _features(matrix: Matrix) -> Iterator[str]:
    yield from ("## Features", "")
    for heading, features in matrix.features.items():
        numbered = any(feature.id for feature in features)
        yield from (f"### {heading}", "")
        yield from _table(["gRFC"] * numbered + ["what"], matrix.peers)
        for feature in features:
            number = [f"[{feature.id.partition('-')[0]}]({_GRFCS}/{feature.id}.md)"] if numbered else []
            yield _line([*number, feature.what, feature.ours(), *feature.peers])
        yield ""


def _fields(matrix: Matrix) -> Iterator[str]:
    yield from ("## Fields", "")
    left = dict.fromkeys(row.message for row in matrix.rows)
    for area, prefixes in _AREAS.items():
        names = [name for name in left if name.startswith(prefixes)]
        if not names:
            continue
        yield from (f"### {area}", "")
        for name in names:
            del left[name]
            yield from _message(matrix, name)


def _message(matrix: Matrix, name: str) -> Iterator[str]:
    rows = [row for row in matrix.rows if row.message == name]
    yield f"#### {short(name)}"
    yield ""
    if not rows:
        yield from ("It has no fields; that it is there is what counts.", "")
        return
    closed = " An unknown field refuses the resource." if name in CLOSED else ""
    yield f"[`{name}`]({_reference(name)}).{closed}"
    yield ""
    # Fields of which the same is said share a line.
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for row in rows:
        old = " (deprecated)" if is_deprecated(name, row.field) else ""
        groups.setdefault((row.ours, row.peers), []).append(f"`{row.field}`{old}")
    yield from _table(["field"], matrix.peers)
    for (ours, peers), fields in groups.items():
        yield _line([", ".join(fields), ours, *peers])
    yield ""


def _reference(name: str) -> str:
    """Envoy's page on a message."""
    file = descriptor_pool.Default().FindMessageTypeByName(name).file.name
    page = file.removeprefix("envoy/").removesuffix(".proto")
    anchor = name.removeprefix("envoy.").lower().replace(".", "-")
    return f"https://www.envoyproxy.io/docs/envoy/latest/api-v3/{page}.proto#envoy-v3-api-msg-{anchor}"


def _table(first: Sequence[str], peers: Sequence[Peer]) -> Iterator[str]:
    heads = [*first, "here", *(peer.column for peer in peers)]
    yield _line(heads)
    yield _line(["---"] * len(heads))


def _line(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


__all__ = ["NOT_CHECKED", "Matrix", "make_matrix", "render"]
