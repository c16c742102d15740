"""The wheel, unpacked where nothing of this repository is, imports and says what it offers."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import grpc

ROOT = Path(__file__).parents[2]

CODE = """
import pathlib, sys
import proxyless
home = pathlib.Path(proxyless.__file__).parent
assert str(home).startswith(sys.argv[1]), home
assert (home / "py.typed").exists()
assert all(hasattr(proxyless, name) for name in proxyless.__all__)
print(sorted(proxyless.__all__))
"""


def run(*arguments: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        arguments, cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_imports_outside_the_repository(tmp_path: Path) -> None:
    dist, target, elsewhere = tmp_path / "dist", tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist), cwd=ROOT / "xds")
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert "proxyless/py.typed" in files.namelist()
        (metadata,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        about = email.message_from_string(files.read(metadata).decode("utf-8"))
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload() == (ROOT / "xds" / "README.md").read_text(encoding="utf-8")
    install = ("-m", "uv", "pip", "install", "--offline", "--no-deps", "--target", str(target), str(wheel))
    run(sys.executable, *install, cwd=elsewhere)
    dependencies = Path(grpc.__file__).parents[1]
    # -S keeps out this environment's editable installs, and with them the sources of the repository.
    said = run(
        sys.executable, "-S", "-c", CODE, str(target),
        cwd=elsewhere, PYTHONPATH=os.pathsep.join((str(target), str(dependencies))),
    )  # fmt: skip
    assert "'insecure_channel'" in said
    help_text = run(
        sys.executable, "-S", "-m", "proxyless", "--help",
        cwd=elsewhere, PYTHONPATH=os.pathsep.join((str(target), str(dependencies))),
    )  # fmt: skip
    assert "explain" in help_text and "doctor" in help_text
