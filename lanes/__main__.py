"""`python -m lanes`."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C during the imports, which take a while, ends it without a traceback."""
    quiet = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if quiet:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lanes.cli import main as run  # noqa: PLC0415

    if quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
