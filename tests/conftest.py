"""What every test stands on."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs under test.

    A shell starts a background job with SIGINT ignored, and whatever that starts inherits it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
