"""The kind targets without an engine: what they look for first, and the commands they would run, in order.

The tools are scripts that note how they were called. What a real engine makes of it is told in
docs/operations.md.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from deploy.kind import pins
from deploy.kind.tools import DOCKER, HELM, KIND, KUBECTL, Missing, require

ROOT = Path(__file__).parents[2]
TOOLS = ("docker", "kind", "helm", "kubectl")
IMAGE = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
# Notes its words, then does what the file beside it named after them says: prints, or fails.
SCRIPT = """#!{python}
import json, os, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps([name, *words]) + "\\n")
for start, (code, text) in json.load(open({answers!r})).items():
    if " ".join([name, *words]).startswith(start):
        print(text, file=sys.stderr if code else sys.stdout)
        raise SystemExit(code)
"""


class Machine:
    """A PATH with the tools on it."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "bin"
        self._log = folder / "log"
        self._answers = folder / "answers"
        self._bin.mkdir()
        self._log.touch()

    def install(self, *tools: str) -> None:
        for tool in tools:
            path = self._bin / tool
            path.write_text(
                SCRIPT.format(python=sys.executable, log=str(self._log), answers=str(self._answers))
            )
            path.chmod(0o755)

    def run(
        self, *words: str, answers: Mapping[str, tuple[int, str]] | None = None
    ) -> subprocess.CompletedProcess[str]:
        self._answers.write_text(json.dumps(answers or {}))
        git = Path(_which("git")).parent
        return subprocess.run(
            [sys.executable, "-m", "deploy.kind", *words],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{self._bin}{os.pathsep}{git}" if self.tools else str(self._bin)},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def tools(self) -> set[str]:
        return {path.name for path in self._bin.iterdir()}

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def _which(name: str) -> str:
    return next(
        f"{folder}/{name}"
        for folder in os.environ["PATH"].split(os.pathsep)
        if os.access(f"{folder}/{name}", os.X_OK)
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


ANSWERS = {
    "kind get clusters": (0, "other\n"),
    "docker image inspect": (0, IMAGE),
}
THERE = ANSWERS | {"kind get clusters": (0, "other\nbookinfo\n")}
NO_ENGINE = {"docker version": (1, "Cannot connect to the Docker daemon")}


# --- what must be there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "needed"), [("up", TOOLS), ("demo", TOOLS), ("test", TOOLS), ("down", ("docker", "kind"))]
)
def test_each_step_names_what_is_missing_and_how_to_get_it(
    machine: Machine, command: str, needed: tuple[str, ...]
) -> None:
    done = machine.run(command)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    begin = f"kind-{command} cannot begin: "
    assert [line.removeprefix(begin).split()[0] for line in lines] == list(needed)
    assert all(line.startswith(begin) and "install" in line for line in lines)


def test_one_that_is_missing_is_one_sentence() -> None:
    with pytest.raises(Missing) as raised:
        require("kind-up", DOCKER, KIND, which=lambda name: None if name == "kind" else name, probe=bool)
    assert str(raised.value) == (
        "kind-up cannot begin: kind is not installed: `brew install kind` or "
        "`go install sigs.k8s.io/kind@v0.33.0`."
    )


def test_a_docker_without_an_engine_is_no_docker(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("up", answers=NO_ENGINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kind-up cannot begin: no Docker engine answers: start Docker Desktop")
    assert machine.calls == [["docker", "version", "--format", "{{.Server.Version}}"]]


def test_tools_that_are_all_there_are_no_fault() -> None:
    require("kind-up", DOCKER, KIND, HELM, KUBECTL, which=str, probe=bool)


@pytest.mark.parametrize("command", ["test", "demo"])
def test_without_a_cluster_there_is_nothing_to_drive(machine: Machine, command: str) -> None:
    machine.install(*TOOLS)
    done = machine.run(command, answers=ANSWERS)
    assert done.returncode == 2
    assert done.stderr == (
        f"kind-{command} cannot begin: there is no kind cluster bookinfo; `make kind-up` makes it.\n"
    )


# --- up ---------------------------------------------------------------------------------------------------


def test_up_runs_everything_in_order_and_in_the_open(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("up", answers=ANSWERS)
    assert done.returncode == 0, done.stderr
    assert [call[:3] for call in machine.calls] == [
        ["docker", "version", "--format"],
        ["kind", "get", "clusters"],
        ["kind", "create", "cluster"],
        ["helm", "upgrade", "--install"],
        ["helm", "upgrade", "--install"],
        ["docker", "build", "--build-arg"],
        ["docker", "image", "inspect"],
        ["docker", "tag", "bookinfo:built"],
        ["kind", "load", "docker-image"],
        ["helm", "upgrade", "--install"],
    ]
    shown = [line.strip().removeprefix("$ ") for line in done.stdout.splitlines() if "    $ " in line]
    noted = [shlex.join(call) for call in machine.calls]
    assert [line for line in noted if line in shown] == shown
    heads = [line for line in done.stdout.splitlines() if line.startswith("==> ")]
    assert [head.split()[1] for head in heads] == ["1/4", "2/4", "3/4", "4/4"]


def test_up_names_files_that_are_there_and_one_cluster_throughout(machine: Machine) -> None:
    machine.install(*TOOLS)
    machine.run("up", answers=ANSWERS)
    words = [word for call in machine.calls for word in call]
    paths = [Path(word) for word in words if word.startswith("/")]
    assert {path.name for path in paths} == {"cluster.yaml", "istiod.yaml", "Dockerfile", "bookinfo"}
    assert all(path.exists() for path in paths)
    helm = [call for call in machine.calls if call[0] == "helm"]
    assert all(call[call.index("--kube-context") + 1] == "kind-bookinfo" for call in helm)
    assert all("--wait" in call for call in helm)


def test_of_istio_there_is_istiod_and_nothing_else(machine: Machine) -> None:
    machine.install(*TOOLS)
    machine.run("up", answers=ANSWERS)
    istio = [call for call in machine.calls if "--repo" in call]
    assert [call[-2:] for call in istio] == [["istio-base", "base"], ["istiod", "istiod"]]
    assert {call[call.index("--version") + 1] for call in istio} == {pins.ISTIO}
    assert pins.ISTIO.startswith("1.29.")


def test_the_pods_change_when_the_image_does(machine: Machine) -> None:
    machine.install(*TOOLS)
    machine.run("up", answers=ANSWERS)
    name = "bookinfo:0123456789ab"
    assert ["docker", "tag", "bookinfo:built", name] in machine.calls
    assert ["kind", "load", "docker-image", name, "--name", "bookinfo"] in machine.calls
    chart = machine.calls[-1]
    assert chart[-1] == str(ROOT / "deploy/helm/bookinfo")
    assert {"image.repository=bookinfo", "image.tag=0123456789ab"} <= set(chart)


def test_a_second_up_keeps_the_cluster(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("up", answers=THERE)
    assert done.returncode == 0
    assert "is there already" in done.stdout
    assert not [call for call in machine.calls if call[:2] == ["kind", "create"]]


def test_a_command_that_fails_is_named_and_nothing_follows(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("up", answers=ANSWERS | {"docker build": (17, "no space left")})
    assert done.returncode == 1
    assert "no space left" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("`docker build ")
    assert done.stderr.splitlines()[-1].endswith("ended with exit code 17.")
    assert machine.calls[-1][:2] == ["docker", "build"]


def test_a_question_that_fails_says_why(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("up", answers={"kind get clusters": (1, "ERROR: permission denied")})
    assert done.returncode == 1
    said = "`kind get clusters` ended with exit code 1: ERROR: permission denied\n"
    assert done.stderr == said


# --- test and down ----------------------------------------------------------------------------------------


def test_test_begins_with_the_charts_own(machine: Machine) -> None:
    machine.install(*TOOLS)
    done = machine.run("test", answers=THERE | {"helm test": (1, "lane demo: refused")})
    assert done.returncode == 1
    assert machine.calls[-1][:3] == ["helm", "test", "bookinfo"]
    assert "lane demo: refused" in done.stderr


def test_the_lane_tests_are_where_they_are_looked_for() -> None:
    assert (ROOT / pins.LANE_TESTS).is_file()


def test_down_deletes_the_one_cluster(machine: Machine) -> None:
    machine.install("docker", "kind")
    done = machine.run("down")
    assert done.returncode == 0
    assert machine.calls[-1] == ["kind", "delete", "cluster", "--name", "bookinfo"]


def test_down_without_an_engine_says_so(machine: Machine) -> None:
    machine.install("docker", "kind")
    done = machine.run("down", answers=NO_ENGINE)
    assert done.returncode == 2
    assert len(machine.calls) == 1


# --- the files --------------------------------------------------------------------------------------------


def test_the_nodes_are_pinned() -> None:
    cluster = yaml.safe_load((ROOT / "deploy/kind/cluster.yaml").read_text())
    for node in cluster["nodes"]:
        name, _, digest = node["image"].partition("@sha256:")
        assert name.startswith("kindest/node:v1.34.")
        assert len(digest) == 64


@pytest.mark.parametrize("target", ["up", "demo", "test", "down"])
def test_make_has_a_target_for_each(target: str) -> None:
    text = (ROOT / "Makefile").read_text()
    assert f".PHONY: kind-{target}\nkind-{target}: " in text
    assert f"@$(BIN)/python -m deploy.kind {target}\n" in text
