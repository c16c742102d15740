"""The folder in which one mesh lives: its rules, its logs, its socket, and the lock that keeps it one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mesh.errors import MeshError, NotRunning

MARKER = ".proxyless-mesh"
_MARKER_TEXT = "The state of a one-machine mesh. `python -m mesh` made this folder and clears it.\n"
# sockaddr_un holds 104 bytes on macOS, 108 on Linux.
_SOCKET_PATH_LIMIT = 100


@dataclass(frozen=True)
class Run:
    """What another shell has to know of a running mesh."""

    supervisor: int
    group: int
    socket: str
    xds_address: str


class StateFolder:
    """The layout of the folder and the rules of entering it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config"
        self.logs = self.path / "logs"
        self.lanes = self.path / "lanes"
        """What the `lanes` command keeps: its history, its lock, and the door's rules."""
        self.door_rules = self.lanes / "door.yaml"
        self._run = self.path / "run.json"
        self._lock_path = self.path / "lock"
        self._lock: int | None = None

    def __str__(self) -> str:
        try:
            return str(self.path.relative_to(Path.cwd()))
        except ValueError:
            return str(self.path)

    # -- for the one mesh that lives here

    def acquire(self) -> None:
        """Become the mesh of this folder; a folder that is taken, or is somebody's data, is an error."""
        try:
            self._claim_folder()
            self._lock = self._take_lock()
        except OSError as error:
            raise MeshError(f"The state folder {self} cannot be used: {error.strerror}.") from None
        if self._lock is None:
            run = self.read_run()
            who = f" (process {run.supervisor})" if run else ""
            raise MeshError(
                f"A mesh is already running in {self}{who}; `python -m mesh down` stops it, "
                "`--state` names a folder for another."
            )

    @property
    def owned(self) -> bool:
        """Whether the mesh of this folder is ours."""
        return self._lock is not None

    def prepare(self) -> None:
        """Clear what the last mesh left and make room for this one."""
        self.clear()
        shutil.rmtree(self.logs, ignore_errors=True)
        self.config.mkdir()
        self.lanes.mkdir()
        self.logs.mkdir()

    def socket_path(self) -> Path:
        """Where the control socket goes: in the folder, or beside it where the path would be too long."""
        path = self.path / "control.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        return Path(tempfile.mkdtemp(prefix="mesh-")) / "control.sock"

    def write_run(self, run: Run) -> None:
        """Tell other shells where the mesh is."""
        temporary = self._run.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(run)), encoding="utf-8")
        temporary.replace(self._run)

    def clear(self) -> None:
        """Remove everything but the logs."""
        run = self.read_run()
        if run is not None:
            socket = Path(run.socket)
            socket.unlink(missing_ok=True)
            if socket.parent != self.path and socket.parent.name.startswith("mesh-"):
                shutil.rmtree(socket.parent, ignore_errors=True)
        self._run.unlink(missing_ok=True)
        shutil.rmtree(self.config, ignore_errors=True)
        shutil.rmtree(self.lanes, ignore_errors=True)

    def release(self) -> None:
        """Let the next mesh in."""
        if self._lock is None:
            return
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    # -- for everybody

    def read_run(self) -> Run | None:
        """What the mesh that runs here, or the one that crashed here, said of itself."""
        try:
            return Run(**json.loads(self._run.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise MeshError(f"{self._run} cannot be read ({error}); remove the folder {self}.") from None

    def is_locked(self) -> bool:
        """Whether a mesh lives here now."""
        if not self._lock_path.exists():
            return False
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def running(self) -> Run:
        """The mesh that lives here; NotRunning when there is none."""
        if self.is_locked():
            run = self.read_run()
            if run is not None:
                return run
            raise NotRunning(f"The mesh in {self} is only just starting; try again.")
        raise NotRunning(f"No mesh is running in {self}; start one with `python -m mesh up`.")

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder held for a moment by somebody who cleans up after a crash."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def wait_released(self) -> None:
        """Block until the mesh that lives here has gone."""
        try:
            handle = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        finally:
            os.close(handle)

    def _claim_folder(self) -> None:
        marker = self.path / MARKER
        if self.path.exists() and not self.path.is_dir():
            raise MeshError(f"{self} is not a folder, so it cannot hold the state of a mesh.")
        # Without this, `--state .` would one day delete somebody's ./config.
        if self.path.exists() and not marker.exists() and any(self.path.iterdir()):
            raise MeshError(f"{self} holds other things than a mesh's state; name an empty or new folder.")
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker.write_text(_MARKER_TEXT, encoding="utf-8")

    def _take_lock(self) -> int | None:
        while True:
            handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
            # Had the one before us removed the file between our open and our lock, ours would lock nothing.
            try:
                current = os.stat(self._lock_path).st_ino
            except FileNotFoundError:
                current = -1
            if current == os.fstat(handle).st_ino:
                return handle
            os.close(handle)
