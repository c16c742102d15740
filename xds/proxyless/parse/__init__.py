"""Protobuf in, resources out.

`parsing` is the only way in, `parse_resource` the same at once. Whatever bytes it is given, it returns a
valid resource with the list of its fields that have no effect here, or raises ResourceError: every rule
that NACKs lives in this room.
"""

from .registry import Parsed, parse_resource, parsing

__all__ = ["Parsed", "parse_resource", "parsing"]
