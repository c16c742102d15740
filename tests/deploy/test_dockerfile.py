"""The image's Dockerfile, held to what it promises; building it is told of in docs/operations.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Instruction, instructions, lets_through, stages

ROOT = Path(__file__).parents[2]
STAGES = {stage.name: stage for stage in stages((ROOT / "deploy/docker/Dockerfile").read_text())}
BUILD, IMAGE = STAGES["build"], STAGES[""]
IGNORE = (ROOT / ".dockerignore").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVICES = ("productpage", "reviews", "details", "ratings", "delivery")
CHECKS = [each.words for each in IMAGE.all("RUN")]


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def copied() -> list[str]:
    """What is copied from the repository, without a slash at its end."""
    froms = [each for stage in STAGES.values() for each in stage.all("COPY") if "from" not in each.flags]
    return [source.rstrip("/") for each in froms for source in each.value.split()[:-1]]


def files_below(source: str) -> list[str]:
    return [path for path in tracked() if path == source or path.startswith(f"{source}/")]


# --- where it stands --------------------------------------------------------------------------------------


def test_every_base_is_pinned_by_version_and_digest() -> None:
    bases = {stage.base for stage in STAGES.values()}
    assert "scratch" in bases
    for base in bases - {"scratch"}:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}", base), base


def test_both_pythons_are_the_same() -> None:
    assert BUILD.base == STAGES["base"].base


def test_stages_copy_from_stages_that_are_there() -> None:
    sources = [e.flags["from"] for stage in STAGES.values() for e in stage.all("COPY") if "from" in e.flags]
    assert sources
    assert set(sources) <= STAGES.keys()


# --- what goes in -----------------------------------------------------------------------------------------


def test_what_is_fetched_is_held_to_hashes_and_all_else_asks_no_index() -> None:
    commands = [part for run in BUILD.all("RUN") for part in run.value.split("&&") if " -m pip " in part]
    fetching = [command for command in commands if "--no-index" not in command]
    assert len(commands) == 3
    assert len(fetching) == 1
    assert "--require-hashes" in fetching[0]
    assert "--only-binary=:all:" in fetching[0]
    assert "-r requirements/run.txt" in fetching[0]


def test_every_requirement_has_a_hash_and_none_an_index() -> None:
    text = (ROOT / "requirements/run.txt").read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", text).strip())
    assert len(entries) > 30
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_nothing_is_fetched_by_other_means() -> None:
    words = {word for stage in STAGES.values() for run in stage.all("RUN") for word in run.value.split()}
    assert not words & {"curl", "wget", "apt-get", "git", "uv"}
    assert not [each for stage in STAGES.values() for each in stage.all("ADD")]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_tracked_and_not_ignored(source: str) -> None:
    files = files_below(source)
    assert files, f"{source} is not in git"
    assert [path for path in files if not lets_through(IGNORE, path)] == []


def test_the_builder_is_sent_nothing_else() -> None:
    needed = {path for source in copied() for path in files_below(source)}
    assert {path for path in tracked() if lets_through(IGNORE, path)} == needed
    for path in (".git/config", ".venv/bin/python", "xds/proxyless/__pycache__/a.pyc", ".mesh/run.json"):
        assert not lets_through(IGNORE, path)


def test_every_package_is_copied() -> None:
    assert {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "xds"} <= set(copied())


# --- what comes out ---------------------------------------------------------------------------------------


def test_it_runs_as_a_number_that_is_not_root() -> None:
    uid, gid = map(int, IMAGE.last("USER").value.split(":"))
    assert uid
    assert gid
    assert [each.value for each in STAGES["base"].all("RUN") if f"--uid {uid} --gid {gid}" in each.value]
    # Once it is somebody else, nothing is made that would belong to them.
    after = IMAGE.instructions[IMAGE.instructions.index(IMAGE.last("USER")) :]
    assert not {each.keyword for each in after} & {"RUN", "COPY"}


def test_no_shell_is_needed_to_run_it() -> None:
    assert IMAGE.last("ENTRYPOINT").words == ["python", "-m"]
    assert IMAGE.last("CMD").words == ["productpage"]
    assert IMAGE.last("STOPSIGNAL").value == "SIGTERM"
    assert all(CHECKS), "a RUN of the image needs a shell"


def test_nothing_is_imported_from_where_it_runs() -> None:
    assert IMAGE.environment["PYTHONSAFEPATH"] == "1"
    assert IMAGE.environment["PYTHONUNBUFFERED"] == "1"
    assert IMAGE.environment["PATH"].startswith("/opt/bookinfo/bin:")


@pytest.mark.parametrize("module", [*SERVICES, "lanes", "proxyless"])
def test_what_it_is_run_with_is_there(module: str) -> None:
    assert find_spec(f"{module}.__main__") is not None


def test_its_labels_are_those_of_oci() -> None:
    keys = set(re.findall(r"([\w.]+)=", IMAGE.last("LABEL").value))
    wanted = {"title", "description", "licenses", "version", "revision"}
    assert keys == {f"org.opencontainers.image.{word}" for word in wanted}


# --- its own checks ---------------------------------------------------------------------------------------


def test_it_looks_for_both_traps_and_at_every_service() -> None:
    assert ["python", "-m", "proxyless", "doctor"] in CHECKS
    imported = {name for words in CHECKS for name in re.findall(r"[\w.]{3,}", words[-1])}
    assert {"xds.core.v3.resource_pb2", "opentelemetry.exporter.otlp.json.http.trace_exporter"} <= imported
    assert {f"{service}.__main__" for service in SERVICES} <= imported


@pytest.mark.parametrize("words", CHECKS, ids=lambda words: words[-1][:40])
def test_its_checks_pass_here(words: list[str]) -> None:
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pid_1_ends_on_sigterm_before_a_service_can_see_to_it() -> None:
    code = """
import os, runpy, signal, sys
os.getpid = lambda: 1
runpy.run_path(sys.argv[1])
signal.raise_signal(signal.SIGTERM)
"""
    path = ROOT / "deploy/docker/sitecustomize.py"
    done = subprocess.run([sys.executable, "-c", code, path], env=dict(os.environ), check=False)
    assert done.returncode == 143


# --- the parser -------------------------------------------------------------------------------------------


def test_the_parser_joins_lines_and_sets_flags_apart() -> None:
    text = 'RUN a \\\n # no\n && b\n\nCOPY --from=x --chown=1:1 /a /b\nCMD ["c", "d"]\n'
    assert instructions(text) == [
        Instruction("RUN", "a && b", {}),
        Instruction("COPY", "/a /b", {"from": "x", "chown": "1:1"}),
        Instruction("CMD", '["c", "d"]', {}),
    ]
    assert instructions(text)[-1].words == ["c", "d"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("a/b/c.py", True),
        ("a/__pycache__/c.pyc", False),
        ("b/c.py", False),
        ("b/d/e.txt", True),
        ("f", True),
        ("ab/c.py", False),
    ],
)
def test_the_parser_of_what_is_ignored(path: str, kept: bool) -> None:
    assert lets_through("# all\n*\n!a\n!b/d\n!f\n**/__pycache__\n", path) == kept
