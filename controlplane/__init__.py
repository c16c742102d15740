"""The embedded control plane: a directory of Istio YAML in, xDS out.

A stand-in for Istiod's `GENERATOR: grpc` on one machine and in tests. Everything up to `snapshot` is pure;
`ads_server`, `admin`, `watcher` and `__main__` are where it meets the world.
"""
