"""The traps of packages that own each other's names, and what `doctor` says of them."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path

import pytest
from proxyless import doctor
from proxyless.doctor import diagnose, overwritten

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "xds"


def python(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


# --- xds-protos owns the import name `xds` ----------------------------------------------------------------


def test_our_folder_xds_is_no_package() -> None:
    assert not (LIBRARY / "__init__.py").exists()


@pytest.mark.parametrize("module", ["xds.core.v3.resource_pb2", "envoy.config.listener.v3.listener_pb2"])
def test_the_protos_are_found_from_the_root_of_the_repository(module: str) -> None:
    code = f"import {module} as found, xds.core.v3; print(found.__file__)"
    done = python("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout


def test_a_folder_named_xds_with_an_init_is_what_the_rule_is_for(tmp_path: Path) -> None:
    (tmp_path / "xds").mkdir()
    (tmp_path / "xds" / "__init__.py").touch()
    done = python("-c", "import xds.core.v3.resource_pb2", cwd=tmp_path)
    assert "No module named 'xds.core'" in done.stderr


# --- doctor -----------------------------------------------------------------------------------------------


def installed(site: Path, name: str, files: Mapping[str, str], version: str = "1.2.3") -> None:
    """Lay out a distribution as an installer would: its files, and their hashes in RECORD."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    rows = [f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    (info / "RECORD").write_text("\n".join(rows) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"fake/one.py": "ONE = 1\n", "fake/two.py": "TWO = 2\n", "fake/data.txt": "x"}
    installed(tmp_path, "fake-protos", files)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_whole_distribution_is_no_problem(site: Path) -> None:
    assert list(overwritten("fake-protos")) == []


def test_overwritten_files_are_found_and_the_mending_command_named(site: Path) -> None:
    (site / "fake" / "two.py").write_text("TWO = 'years old'\n")
    (problem,) = overwritten("fake-protos")
    assert problem.what.startswith("1 files of fake-protos were overwritten by another package")
    assert "fake/two.py" in problem.what
    assert problem.mend == "pip install --force-reinstall --no-deps fake-protos==1.2.3"


def test_a_file_that_is_gone_counts_and_one_that_is_no_module_does_not(site: Path) -> None:
    (site / "fake" / "data.txt").write_text("changed")
    assert list(overwritten("fake-protos")) == []
    (site / "fake" / "one.py").unlink()
    (problem,) = overwritten("fake-protos")
    assert "fake/one.py" in problem.what


def test_a_distribution_that_is_not_installed_is_no_problem() -> None:
    assert list(overwritten("not-installed-anywhere")) == []


def test_this_environment_is_whole() -> None:
    assert diagnose() == []


@pytest.mark.parametrize(
    ("missing", "said", "mend"),
    [
        ("re2", "re2 cannot be imported", "pip install --force-reinstall google-re2"),
        ("msgspec", "msgspec cannot be imported", "pip install --force-reinstall msgspec"),
        ("envoy", "listener_pb2 cannot be imported", "pip install --force-reinstall xds-protos"),
        ("xds.core", "the package `xds` of xds-protos is shadowed by", "remove `__init__.py`"),
    ],
)
def test_what_cannot_be_imported_is_named(
    missing: str, said: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doctor.importlib.import_module

    def import_module(name: str) -> object:
        if name == missing or name.startswith(f"{missing}."):
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name)

    monkeypatch.setattr(doctor.importlib, "import_module", import_module)
    (problem,) = diagnose()
    assert said in problem.what
    assert mend in problem.mend


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("xds/__init__.py", "", "shadowed by {file}"),
        ("xds/__init__.py", "", "to mend it: remove `__init__.py` from your own folder named `xds`"),
        ("re2.py", "raise ImportError('built for another Python')", "built for another Python"),
        ("re2.py", "raise ImportError", "to mend it: pip install --force-reinstall google-re2"),
    ],
)
@pytest.mark.parametrize("arguments", [("-c", "import proxyless"), ("-m", "proxyless", "doctor")])
def test_a_broken_environment_is_named_where_it_is_met(
    file: str, text: str, said: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    done = python(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "proxyless cannot be imported: " in done.stderr
    assert said.format(file=tmp_path / file) in done.stderr


# --- the wheel --------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_library_its_types_and_nothing_else(tmp_path: Path) -> None:
    done = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=LIBRARY)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("proxyless_xds-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        headers = HeaderParser().parsestr(archive.read(metadata).decode())
    code = {f"proxyless/{path.relative_to(LIBRARY / 'proxyless')}" for path in sources()}
    assert {name for name in names if ".dist-info/" not in name} == {*code, "proxyless/py.typed"}
    assert headers["Name"] == "proxyless-xds"
    required = headers.get_all("Requires-Dist", [])
    needs = {each.split(">")[0] for each in required if "extra ==" not in each}
    assert [each for each in required if "extra ==" in each] == ["aiohttp>=3.12; extra == 'http'"]
    assert needs == {"click", "google-re2", "grpcio", "msgspec", "protobuf", "xds-protos", "xxhash"}


def sources() -> list[Path]:
    return [path for path in (LIBRARY / "proxyless").rglob("*.py") if "__pycache__" not in path.parts]
