"""Objects to Envoy protobuf, as Istiod's `GENERATOR: grpc` writes it; one file per resource type.

This is the one place that knows the dialect.
"""
