"""What `--service reviews=…` names: a version that is there, or something to run as the lane's own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from lanes.landscape import LaneError
from lanes.store import Workload


def names_workload(text: str) -> bool:
    """Whether a value is a path or a command; a version has neither slash nor blank."""
    return "/" in text or len(text.split()) > 1


def workload_of(service: str, text: str, directory: Path, environment: Mapping[str, str]) -> Workload:
    """How to run what a user names, seen from a folder.

    A folder with the service's package, or the package itself, runs as `python -m`; a `.py` file as a script;
    anything else is a command with its arguments. LaneError names what is not there.
    """
    try:
        first, *rest = shlex.split(text)
    except ValueError as error:
        raise LaneError(f"{text!r} cannot be read as a command: {str(error).lower()}.") from None
    path = (directory / Path(first).expanduser()).resolve()
    module = _module(path, service)
    if module is not None:
        return Workload(
            text, str(directory), (sys.executable, "-m", module.name, *rest), str(module.parent), environment
        )
    if path.is_dir():
        raise LaneError(f"The folder {first} holds no package {service!r} with a __main__.py to run.")
    if path.suffix == ".py" and path.is_file():
        return Workload(text, str(directory), (sys.executable, str(path), *rest), str(directory), environment)
    program = str(path) if "/" in first else shutil.which(first, path=environment.get("PATH"))
    if program is None or not Path(program).is_file():
        raise LaneError(f"There is no file or command {first!r} to run as {service}.")
    if not os.access(program, os.X_OK):
        raise LaneError(f"{first} cannot be run: it is not executable.")
    return Workload(text, str(directory), (program, *rest), str(directory), environment)


def _module(path: Path, service: str) -> Path | None:
    """The package at or in a folder that can be run."""
    for package in (path, path / service):
        if (package / "__main__.py").is_file() and (package / "__init__.py").is_file():
            return package
    return None
