"""The house is to be lived in: no file outgrows what can be read at a sitting."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 400
"""Lines, of tests as well."""
GENERATED = "bookinfo_pb"


def test_no_file_is_too_long() -> None:
    rooms = {path.parent for path in ROOT.glob("*/__init__.py")} | {ROOT / "xds", ROOT / "deploy"}
    files = [file for room in rooms if room.name != GENERATED for file in room.rglob("*.py")]
    assert len(files) > 400
    assert Path(__file__) in files
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
