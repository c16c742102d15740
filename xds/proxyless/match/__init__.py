"""Compiled matchers: no protobuf, no I/O, no randomness of their own.

Resources say what a route wants; this room turns that into functions, once a configuration.
"""

from .domains import select_virtual_host
from .headers import CallHeaders, RequestHeaders
from .table import Draw, RouteTable, Step

__all__ = ["CallHeaders", "Draw", "RequestHeaders", "RouteTable", "Step", "select_virtual_host"]
