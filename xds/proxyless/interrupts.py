"""Ctrl-C while `python -m proxyless` is still importing: an end like any other's, not a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Let Ctrl-C end the process at once in here, if this process is the command.

    `python -m proxyless` imports the whole package before the first line of its `__main__`. In any other
    process, whoever wrote it decides what Ctrl-C does.
    """
    arguments = sys.orig_argv
    command = "-m" in arguments and arguments[arguments.index("-m") + 1 :][:1] == ["proxyless"]
    if not command or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
