"""The generated stubs are those of the protos."""

from pathlib import Path

from bookinfo_pb.generate import PACKAGE, generate


def test_stubs_are_current(tmp_path: Path) -> None:
    fresh = {path.name: path.read_text() for path in generate(tmp_path)}
    committed = {path.name: path.read_text() for path in (PACKAGE / "v1").glob("*.py*") if path.is_file()}
    assert committed == fresh, "the stubs are not those of proto/: run `make proto`"
