"""`python -m mesh`."""

from lanes.interrupts import quiet_imports

if __name__ == "__main__":
    with quiet_imports():
        from mesh.cli import main
    main()
