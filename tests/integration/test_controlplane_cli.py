"""`python -m controlplane` as a user meets it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

COMMAND = [sys.executable, "-m", "controlplane"]
READY = re.compile(r"controlplane: ADS on 127\.0\.0\.1:(\d+), admin on 127\.0\.0\.1:(\d+), config (.+)\n")


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_without_a_word(tmp_path: Path, number: signal.Signals) -> None:
    with started("--config", str(tmp_path), "--port", "0", "--admin-port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = READY.fullmatch(line)
        assert found, line
        assert found[3] == str(tmp_path)
        with urlopen(f"http://127.0.0.1:{found[2]}/healthz") as response:
            assert response.read() == b"ok"
        process.send_signal(number)
        rest, errors = process.communicate()
        assert process.returncode == 0
        assert rest == ""
        assert "Traceback" not in errors
        assert "KeyboardInterrupt" not in errors


def test_it_serves_nothing_before_its_files_are_sound_and_says_what_it_waits_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [\n")
    (tmp_path / "worse.yaml").write_text("a: b\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started("--config", str(tmp_path), "--port", str(port), "--admin-port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"controlplane: serves nothing until this is mended: bad\.yaml:1: not YAML: .+"
            r" \(and \d more; admin on 127\.0\.0\.1:(\d+), config .+\)\n",
            line,
        )
        assert found, line
        with pytest.raises(HTTPError) as refused, urlopen(f"http://127.0.0.1:{found[1]}/healthz"):
            pass
        with refused.value as answer:
            assert answer.code == 503
            assert answer.read().startswith(b"waiting for a sound configuration\nbad.yaml:1: not YAML")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        bad.unlink()
        (tmp_path / "worse.yaml").unlink()
        ready = READY.fullmatch(process.stdout.readline())
        assert ready
        assert ready[1] == str(port)
        with urlopen(f"http://127.0.0.1:{found[1]}/healthz") as response:
            assert response.read() == b"ok"


def test_a_port_that_was_taken_while_it_waited_is_one_sentence(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started("--config", str(tmp_path), "--port", str(port), "--admin-port", "0") as process:
        assert process.stdout is not None
        assert "serves nothing" in process.stdout.readline()
        with socket.create_server(("127.0.0.1", port)):
            bad.unlink()
            _, errors = process.communicate()
    assert process.returncode == 1
    assert f"controlplane: cannot listen on 127.0.0.1:{port}: Address already in use\n" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("option", ["--port", "--admin-port"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        other = {"--port": "--admin-port", "--admin-port": "--port"}[option]
        found = run("--config", str(tmp_path), option, port, other, "0")
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr == f"controlplane: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_two_of_them_do_not_share_a_port(tmp_path: Path) -> None:
    with started("--config", str(tmp_path), "--port", "0", "--admin-port", "0") as first:
        assert first.stdout is not None
        found = READY.fullmatch(first.stdout.readline())
        assert found
        second = run("--config", str(tmp_path), "--port", found[1], "--admin-port", "0")
        assert second.returncode == 1
        assert "Address already in use" in second.stderr


def test_bad_settings_are_refused_with_words(tmp_path: Path) -> None:
    for arguments, message in (
        ([], "Missing option '--config'"),
        (["--config", str(tmp_path / "none")], "does not exist"),
        (["--config", str(tmp_path), "--port", "99999"], "not in the range"),
    ):
        found = run(*arguments)
        assert found.returncode == 2
        assert message in found.stderr
        assert "Traceback" not in found.stderr


def test_a_host_that_no_name_could_be_is_one_sentence(tmp_path: Path) -> None:
    found = run("--config", str(tmp_path), "--host", "a..b", "--port", "0", "--admin-port", "0")
    assert found.returncode == 1
    assert found.stderr == "controlplane: cannot listen on a..b:0: that is no host name\n"


def test_help_says_what_it_does() -> None:
    found = run("--help")
    assert found.returncode == 0
    for word in ("--config", "--host", "--port", "--admin-port", "Istiod", "check"):
        assert word in found.stdout


def test_check_names_the_place_and_exits_with_1(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n"
        "metadata: {name: a}\nspec: {address: 10.0.0.1}\n"
    )
    assert run("check", str(tmp_path)).stdout == "1 files, 1 objects, 0 errors, 0 warnings\n"
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("address", "adress").replace("name: a", "name: b"))
    found = run("check", str(good), str(bad))
    assert found.returncode == 1
    assert f"error: {bad}:4: spec.adress: unknown field\n" in found.stdout


def test_check_counts_what_cannot_be_read_and_names_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    found = run("check", str(tmp_path))
    assert found.returncode == 1
    first, last = found.stdout.splitlines()
    assert first.startswith(f"error: {tmp_path / 'binary.yaml'}: is not UTF-8 text")
    assert last == "0 files, 0 objects, 1 errors, 0 warnings"
