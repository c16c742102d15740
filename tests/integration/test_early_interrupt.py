"""Ctrl-C in the first moments of a command: it ends without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Python reads this before anything else: it types Ctrl-C where a module is about to be imported.
_TYPIST = """\
import builtins, os, signal
real = builtins.__import__
def hooked(name, *rest, **more):
    if name == {name!r}:
        builtins.__import__ = real
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest, **more)
builtins.__import__ = hooked
"""


@pytest.mark.parametrize(
    ("command", "at"),
    [
        ("proxyless", "grpc"),
        ("proxyless", "click"),
        ("productpage", "proxyless"),
        ("reviews", "grpc"),
        ("details", "grpc"),
        ("ratings", "asyncio"),
    ],
)
def test_while_it_imports(command: str, at: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_TYPIST.format(name=at))
    answer = subprocess.run(
        [sys.executable, "-m", command, "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (-signal.SIGINT, b"", b"")


def test_a_program_that_imports_the_library_keeps_its_own_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_TYPIST.format(name="grpc"))
    program = "try:\n    import proxyless\nexcept KeyboardInterrupt:\n    print('mine')"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"mine\n", b"")
