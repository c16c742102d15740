"""Protobuf in, resources out.

`parse_resource` is the only way in. Whatever bytes it is given, it returns a valid resource with the list
of its fields that have no effect here, or raises ResourceError: every rule that NACKs lives in this room.
"""

from .registry import Parsed, parse_resource

__all__ = ["Parsed", "parse_resource"]
