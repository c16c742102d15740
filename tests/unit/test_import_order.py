"""The import order of docs/architecture.md, held against the imports that are really there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "xds" / "proxyless"

ORDER = (
    "errors",
    "steps names resources members substitution observer",
    "parse|match|balance",
    "held messages protocol depgraph interest retry endings fault edits rewrites routing drafts wanted ways",
    "identity bootstrap slices transport pools subchannels breaker dns",
    "reports clusters targets decision explain admin status",
    "client",
    "deciding mirror news replay tap around attempts dispatch watched streams express calls interceptors",
    "channel|http",
    "entry",
    "__init__",
    "changes look csds",
    "__main__",
)
"""The rooms of the library from left to right; `|` are siblings that do not import each other, rooms
between blanks may, in one direction."""

OUTSIDE = {"doctor", "interrupts"}
"""Rooms that import no other, so that they work where the others do not."""

MAY_TOUCH_PROTOS = {"parse", "protocol", "transport", "csds"}
SANS_IO = {
    "errors",
    "steps",
    "names",
    "resources",
    "members",
    "substitution",
    "parse",
    "match",
    "balance",
    "observer",
    "held",
    "messages",
    "protocol",
    "depgraph",
    "interest",
    "retry",
    "endings",
    "fault",
    "edits",
    "rewrites",
    "routing",
    "drafts",
    "wanted",
    "ways",
}
IMPURE = {"asyncio", "concurrent", "datetime", "grpc", "os", "random", "secrets", "select", "socket"} | {
    "subprocess",
    "sys",
    "threading",
    "time",
}

PACKAGES: dict[str, set[str]] = {
    # who may import whom, among the top-level packages of this repository
    "proxyless": set(),
    "controlplane": set(),
    "bookinfo_pb": set(),
    "telemetry": {"proxyless"},
    "lanes": set(),
    "serving": {"proxyless", "lanes", "telemetry", "bookinfo_pb"},
    "details": {"serving", "lanes", "telemetry", "bookinfo_pb"},
    "ratings": {"serving", "lanes", "telemetry", "bookinfo_pb"},
    "reviews": {"serving", "lanes", "telemetry", "bookinfo_pb"},
    "delivery": {"serving", "lanes", "telemetry", "bookinfo_pb"},
    "productpage": {"serving", "lanes", "telemetry", "bookinfo_pb"},
    "mesh": {"lanes", "proxyless", "controlplane"},
    # the page over a mesh; nobody imports it
    "console": {"lanes", "mesh", "serving"},
    # what brings bookinfo into a cluster and drives it there
    "deploy": {"lanes", "mesh"},
    # what measures; nobody imports it
    "bench": {"lanes", "mesh", "proxyless", "telemetry"},
    # the command, which drives a mesh; nobody imports it
    "lanes/cli": {"lanes", "mesh", "proxyless"},
}
COMMAND = "lanes.cli"
PROTO_ROOTS = {"envoy", "udpa", "validate", "xds"}


def modules(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module a file imports, at any depth, as an absolute dotted name; types-only imports too."""
    found: list[str] = []
    home = LIBRARY.parent if path.is_relative_to(LIBRARY) else ROOT
    package = path.relative_to(home).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            # `from . import x` and `from a import b` may each name a module
            found += [f"{module}.{alias.name}" for alias in node.names]
    return tuple(found)


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


@cache
def rooms_imported(path: Path) -> frozenset[str]:
    """The other rooms of the library that one of its files imports."""
    inside = [name.split(".") for name in imports(path) if name.split(".")[0] == "proxyless"]
    rooms = {parts[1] if len(parts) > 1 and parts[1] in ROOMS else "__init__" for parts in inside}
    return frozenset(rooms - {room_of(path)})


ROOMS = {room_of(path) for path in modules(LIBRARY)}
PLACE = {room: place for place, group in enumerate(ORDER) for room in group.replace("|", " ").split()}
PLACE |= dict.fromkeys(OUTSIDE, -1)
SIBLINGS = [set(word.split("|")) for group in ORDER for word in group.split() if "|" in word]


def edges() -> Iterator[tuple[str, str, str]]:
    for path in modules(LIBRARY):
        for target in rooms_imported(path):
            yield room_of(path), target, str(path.relative_to(LIBRARY))


def test_every_room_has_its_place() -> None:
    assert PLACE.keys() == ROOMS


def test_imports_go_leftward_only() -> None:
    wrong = [f"{file} imports {target}" for room, target, file in edges() if PLACE[target] > PLACE[room]]
    assert wrong == []


def test_siblings_do_not_import_each_other() -> None:
    wrong = [
        f"{file} imports {target}"
        for room, target, file in edges()
        if any(room in group and target in group for group in SIBLINGS)
    ]
    assert wrong == []


def test_rooms_of_one_step_import_each_other_in_one_direction() -> None:
    graph: dict[str, set[str]] = {room: set() for room in ROOMS}
    for room, target, _ in edges():
        graph[room].add(target)
    done: set[str] = set()

    def visit(room: str, trail: tuple[str, ...]) -> None:
        assert room not in trail, f"a circle: {' → '.join((*trail, room))}"
        if room not in done:
            for target in sorted(graph[room]):
                visit(target, (*trail, room))
            done.add(room)

    for room in sorted(graph):
        visit(room, ())


@pytest.mark.parametrize("room", sorted(OUTSIDE))
def test_rooms_outside_import_no_other(room: str) -> None:
    assert not [target for who, target, _ in edges() if who == room]


def test_only_some_rooms_touch_protos() -> None:
    wrong = [
        str(path.relative_to(LIBRARY))
        for path in modules(LIBRARY)
        if room_of(path) not in MAY_TOUCH_PROTOS
        and any(name.split(".")[0] in PROTO_ROOTS or name.startswith("google.") for name in imports(path))
    ]
    assert wrong == []


def test_left_of_bootstrap_there_is_no_clock_no_chance_and_no_io() -> None:
    wrong = [
        f"{path.relative_to(LIBRARY)} imports {name}"
        for path in modules(LIBRARY)
        if room_of(path) in SANS_IO
        for name in imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert wrong == []
    assert {room for room, place in PLACE.items() if 0 <= place < PLACE["bootstrap"]} == SANS_IO


def test_the_observer_needs_no_telemetry() -> None:
    assert rooms_imported(LIBRARY / "observer.py") <= {"resources"}
    used = {name.split(".")[0] for path in modules(LIBRARY) for name in imports(path)}
    assert "opentelemetry" not in used


def test_the_library_leans_on_what_it_declares_only() -> None:
    declared = {"click", "msgspec", "re2", "grpc", "google", "proxyless", "xxhash", *PROTO_ROOTS}
    optional = {"http": {"aiohttp", "multidict", "yarl"}}
    for path in modules(LIBRARY):
        used = {name.split(".")[0] for name in imports(path)}
        allowed = declared | optional.get(room_of(path), set())
        assert used - set(sys.stdlib_module_names) <= allowed, path


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_packages_import_only_whom_they_may(package: str) -> None:
    home = LIBRARY if package == "proxyless" else ROOT / package
    if not home.is_dir():
        pytest.skip(f"{package} is not there yet")
    rooms = [ROOT / other for other in PACKAGES if other.startswith(f"{package}/")]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(home)
        if not any(path.is_relative_to(room) for room in rooms)
        for name in imports(path)
        if name.split(".")[0] in PACKAGES.keys() - {package} - PACKAGES[package]
    ]
    assert wrong == []


def test_nobody_but_its_own_entry_imports_the_lanes_command() -> None:
    homes = [LIBRARY, *(ROOT / name for name in PACKAGES if (ROOT / name).is_dir())]
    users = {
        path.relative_to(ROOT)
        for home in homes
        for path in modules(home)
        if any(name == COMMAND or name.startswith(f"{COMMAND}.") for name in imports(path))
    }
    assert {path for path in users if path.parts[:2] != ("lanes", "cli")} == {Path("lanes/__main__.py")}


def test_every_package_of_the_repository_is_listed() -> None:
    present = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"proxyless"}
    assert present - {"tests"} <= PACKAGES.keys()


def test_nothing_but_tests_imports_tests() -> None:
    homes = [LIBRARY, *(ROOT / name for name in PACKAGES if (ROOT / name).is_dir())]
    wrong = [
        str(path.relative_to(ROOT))
        for home in homes
        for path in modules(home)
        if any(name.split(".")[0] == "tests" for name in imports(path))
    ]
    assert wrong == []
