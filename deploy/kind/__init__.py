"""Bookinfo on a cluster of this machine's Docker: `python -m deploy.kind up|demo|test|down`."""
