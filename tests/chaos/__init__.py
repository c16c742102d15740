"""The mesh under steady load while everything around it fails: `make chaos`, `make soak`."""
