"""The command line: arguments, exit codes, one sentence without a running mesh."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mesh.cli.app import main
from mesh.cli.app import mesh as commands
from mesh.cli.options import duration
from mesh.cli.processes import parse_signal
from mesh.cli.rules import as_list, choose
from mesh.environment import past_proxies, plain
from mesh.errors import MeshError, NotFound
from mesh.inventory import BOOKINFO, find_instance, instances_of
from mesh.objects import parse_objects

VERBS = ("up", "apply", "delete", "get", "status", "logs", "kill", "start", "env", "down")


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["mesh", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(verb, "--help", monkeypatch=monkeypatch) == 0
    assert "--state" in capsys.readouterr().out
    assert verb in commands.commands


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "-f", __file__.replace("test_cli.py", "rules.yaml")),
        ("delete", "vs", "reviews"),
        ("get",),
        ("status",),
        ("logs", "reviews"),
        ("kill", "reviews/v2"),
        ("start", "reviews/v2"),
        ("env", "mine"),
        ("down",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_mesh_a_verb_says_one_sentence_and_fails(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("{apiVersion: a/v1, kind: X, metadata: {name: n}}")
    given = [str(rules) if word.endswith("rules.yaml") else word for word in arguments]
    state = tmp_path / "none"
    assert run(*given, "--state", str(state), monkeypatch=monkeypatch) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("No mesh is running in ")
    assert captured.err.count("\n") == 1
    assert not state.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply",),
        ("delete",),
        ("delete", "vs"),
        ("get", "-o", "xml"),
        ("up", "--port", "99999"),
        ("nonsense",),
    ],
)
def test_wrong_arguments_are_exit_code_2(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*arguments, monkeypatch=monkeypatch) == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("500ms", 0.5), ("2m", 120), ("8h", 28800), ("3", 3), ("1.5s", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1h30", "ten"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no duration"):
        duration(text)


@pytest.mark.parametrize("text", ["TERM", "SIGTERM", "term", "15"])
def test_signals(text: str) -> None:
    assert parse_signal(text) == signal.SIGTERM


@pytest.mark.parametrize("text", ["NOPE", "0", "999", ""])
def test_wrong_signals(text: str) -> None:
    with pytest.raises(MeshError, match="no signal"):
        parse_signal(text)


def test_an_instance_is_found_by_name() -> None:
    assert str(find_instance(instances_of(BOOKINFO), "reviews/v2")) == "reviews/v2"
    assert str(find_instance(instances_of(BOOKINFO), "productpage")) == "productpage/v1"
    with pytest.raises(NotFound, match="several versions; say which of reviews/v1, reviews/v2"):
        find_instance(instances_of(BOOKINFO), "reviews")
    with pytest.raises(NotFound, match=r"no instance 'reviews/v9'.*ratings/v1.*controlplane"):
        find_instance(instances_of(BOOKINFO), "reviews/v9")


def test_choosing_objects() -> None:
    texts = [
        f"{{apiVersion: a/v1, kind: {kind}, metadata: {{name: {name}, namespace: {namespace}}}}}"
        for kind, name, namespace in (("X", "a", "one"), ("X", "b", "two"), ("Y", "a", "two"))
    ]
    objects = parse_objects("\n---\n".join(texts), "t")
    assert choose(objects, (), (), None) == objects
    assert choose(objects, ["X"], (), None) == objects[:2]
    assert choose(objects, ["X"], ("a",), None) == objects[:1]
    assert choose(objects, (), (), "two") == objects[1:]
    with pytest.raises(NotFound, match="no x c in this mesh"):
        choose(objects, ["X"], ("a", "c"), None)
    assert as_list(objects[:1], single=True) == objects[0].document
    listed = as_list(objects, single=False)
    assert isinstance(listed, dict)
    assert listed["kind"] == "List"


def test_the_list_of_commands_breaks_off_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--help", monkeypatch=monkeypatch) == 0
    listed = " ".join(capsys.readouterr().out.split())
    for command in commands.commands.values():
        assert command.get_short_help_str(limit=1_000) in listed


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a: \xff", "it is not UTF-8 text"), (b" " * ((16 << 20) + 1), "it is larger than 16 MiB")],
    ids=["binary", "huge"],
)
@pytest.mark.parametrize("from_stdin", [True, False])
def test_what_cannot_be_rules_is_not_read(
    content: bytes,
    said: str,
    from_stdin: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("apply", "-f", "-" if from_stdin else str(file), monkeypatch=monkeypatch) == 1
    assert capsys.readouterr().err == f"{'stdin' if from_stdin else file} cannot be read: {said}.\n"


def test_a_terminal_without_arrows_gets_question_marks() -> None:
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            "import mesh.cli.app as app; app.mesh.main = lambda **_: print('→'); app.main()",
        ],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"?\n", b"")


def test_ctrl_c_during_the_imports_is_no_traceback() -> None:
    # Stops where `python -m mesh` begins with its imports, as a user does who types Ctrl-C at once.
    interrupt = (
        "import builtins, os, runpy, signal\n"
        "real = builtins.__import__\n"
        "def hooked(name, *rest, **more):\n"
        "    if name == 'mesh.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = hooked\n"
        "runpy.run_module('mesh', run_name='__main__')\n"
    )
    answer = subprocess.run([sys.executable, "-c", interrupt], capture_output=True, check=False)
    assert (answer.returncode, answer.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(
    ("environ", "added"),
    [
        ({}, {}),
        ({"no_proxy": "corp"}, {}),
        ({"http_proxy": "http://p:1"}, {"no_grpc_proxy": "127.0.0.0/8"}),
        ({"https_proxy": "p", "no_proxy": "corp,.x"}, {"no_grpc_proxy": "corp,.x,127.0.0.0/8"}),
        (
            {"grpc_proxy": "p", "no_grpc_proxy": "a,127.0.0.0/8", "no_proxy": "b"},
            {"no_grpc_proxy": "a,127.0.0.0/8"},
        ),
    ],
)
def test_the_mesh_goes_past_the_users_proxy(environ: dict[str, str], added: dict[str, str]) -> None:
    assert past_proxies(environ) == added
    assert added.items() <= plain("state", environ).items()
