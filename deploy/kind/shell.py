"""Running the tools: each command in the open, its output passed through, and a stop where one fails."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from deploy.kind.pins import ROOT


class Failed(Exception):
    """A command did not end well; the message names it and its exit code."""


class Shell:
    """Commands run from the root of the repository, with a line ahead of each group of them."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0

    def step(self, what: str) -> None:
        """Say what comes next."""
        self._step += 1
        self.say(f"==> {self._step}/{self._steps} {what}")

    def say(self, line: str) -> None:
        """A line on the terminal."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Run a command; Failed if it does not end well."""
        self.say(f"    $ {shlex.join(command)}")
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode:
            raise Failed(f"`{_short(command)}` ended with exit code {done.returncode}.")

    def ask(self, *command: str) -> str:
        """What a command prints; Failed, with what it says, if it does not end well."""
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise Failed(f"`{_short(command)}` ended with exit code {done.returncode}: {said}")
        return done.stdout.strip()


def _short(command: Sequence[str]) -> str:
    return shlex.join(command[:4]) + (" …" if len(command) > 4 else "")
