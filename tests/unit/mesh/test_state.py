"""The state folder: one mesh at a time, nobody else's data touched, crashes recognised."""

from pathlib import Path

import pytest

from mesh.errors import MeshError, NotRunning
from mesh.state import Run, StateFolder

RUN = Run(supervisor=1, group=2, socket="/nowhere/control.sock", xds_address="127.0.0.1:1")


def test_a_second_mesh_is_turned_away_and_the_first_one_named(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path / "s"), StateFolder(tmp_path / "s")
    first.acquire()
    first.prepare()
    first.write_run(RUN)
    assert second.is_locked()
    with pytest.raises(MeshError, match=r"already running in .*process 1.*mesh down"):
        second.acquire()
    assert not second.owned
    first.release()
    assert not second.is_locked()
    second.acquire()
    second.release()


def test_running_is_the_run_or_one_clear_sentence(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "s")
    with pytest.raises(NotRunning, match=r"No mesh is running in .*mesh up"):
        folder.running()
    folder.acquire()
    with pytest.raises(NotRunning, match="only just starting"):
        folder.running()
    folder.prepare()
    folder.write_run(RUN)
    assert StateFolder(tmp_path / "s").running() == RUN
    folder.release()
    with pytest.raises(NotRunning):
        folder.running()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "precious").write_text("data")
    with pytest.raises(MeshError, match="holds other things"):
        StateFolder(tmp_path).acquire()
    assert (tmp_path / "config" / "precious").read_text() == "data"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(MeshError, match="is not a folder"):
        StateFolder(tmp_path / "f").acquire()


def test_clear_leaves_the_logs_only(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "s")
    folder.acquire()
    folder.prepare()
    folder.write_run(RUN)
    (folder.config / "a.yaml").write_text("a: 1")
    (folder.logs / "a.log").write_text("line\n")
    folder.clear()
    folder.release()
    assert {p.name for p in folder.path.iterdir()} == {"logs", ".proxyless-mesh"}
    assert folder.read_run() is None


def test_a_long_path_gets_its_socket_elsewhere_and_clears_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / ("x" * 90))
    folder.acquire()
    folder.prepare()
    socket = folder.socket_path()
    assert len(str(socket)) < 100
    assert socket.parent.exists()
    folder.write_run(Run(1, 2, str(socket), "127.0.0.1:1"))
    folder.clear()
    assert not socket.parent.exists()
    folder.release()


def test_an_unreadable_run_says_what_to_do(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "s")
    folder.acquire()
    (folder.path / "run.json").write_text("{")
    with pytest.raises(MeshError, match=r"cannot be read.*remove the folder"):
        folder.read_run()
    folder.release()
