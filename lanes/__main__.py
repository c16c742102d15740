"""`python -m lanes`."""

from lanes.interrupts import quiet_imports


def main() -> None:
    """Run the command line; the imports before it take a while."""
    with quiet_imports():
        from lanes.cli import main as run  # noqa: PLC0415
    run()


if __name__ == "__main__":
    main()
