"""Finds an environment in which packages have overwritten each other.

xds-protos ships top-level packages other distributions own too: `opentelemetry/proto` (grpc/grpc#42926) and
`envoy/__init__.py`; and it owns the import name `xds`, which a project's own folder may take. pip sees none
of it, so each file is held against the hash its distribution recorded at installation.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

_IMPORTS = (
    ("grpc.aio", "grpcio"),
    ("envoy.config.listener.v3.listener_pb2", "xds-protos"),
    ("re2", "google-re2"),
    ("msgspec", "msgspec"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is broken, and the command that mends it."""

    what: str
    mend: str


def diagnose() -> list[Problem]:
    """Return what is broken in this environment; an empty list if nothing is."""
    # Behind a shadowed `xds` nothing else of xds-protos can be imported: that one is the cause.
    return [*(list(_shadowed_xds()) or _missing_imports()), *overwritten("opentelemetry-proto")]


def explained(error: ImportError) -> ImportError:
    """Return what to raise where this library cannot be imported: what is broken, and how to mend it."""
    found = "; ".join(f"{problem.what}; to mend it: {problem.mend}" for problem in diagnose())
    return ImportError(f"proxyless cannot be imported: {found}", name=error.name) if found else error


def _missing_imports() -> Iterable[Problem]:
    for module, distribution in _IMPORTS:
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield Problem(
                f"{module} cannot be imported: {error}", f"pip install --force-reinstall {distribution}"
            )


def _shadowed_xds() -> Iterable[Problem]:
    try:
        importlib.import_module("xds.core.v3.resource_pb2")
    except ImportError as error:
        try:
            where = getattr(importlib.import_module("xds"), "__file__", None)
        except ImportError:
            return  # There is none at all: xds-protos is missing.
        yield Problem(
            f"the package `xds` of xds-protos is shadowed by {where or 'another `xds`'}: {error}",
            "remove `__init__.py` from your own folder named `xds`, or rename the folder",
        )


def overwritten(distribution: str) -> Iterable[Problem]:
    """Yield a Problem if files of an installed distribution are not those it came with."""
    try:
        installed = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return
    # Not its `files`, of which Python 3.12 and newer leave out what is gone.
    record = csv.reader((installed.read_text("RECORD") or "").splitlines())
    changed = [
        name
        for name, recorded, _ in record
        if name.endswith(".py") and recorded and _digest_differs(str(installed.locate_file(name)), recorded)
    ]
    if changed:
        yield Problem(
            f"{len(changed)} files of {distribution} were overwritten by another package, "
            f"{changed[0]} among them (xds-protos is known to: grpc/grpc#42926)",
            f"pip install --force-reinstall --no-deps {distribution}=={installed.version}",
        )


def _digest_differs(path: str, recorded: str) -> bool:
    mode, _, expected = recorded.partition("=")
    try:
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, mode).digest()
    except FileNotFoundError:
        return True
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != expected
