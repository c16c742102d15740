"""`python -m mesh`."""

import signal


def _main() -> None:
    # The imports take half a second; Ctrl-C in that time ends the process without a traceback.
    quiet = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if quiet:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mesh.cli import main  # noqa: PLC0415

    if quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    _main()
