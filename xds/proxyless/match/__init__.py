"""Compiled matchers: no protobuf, no I/O, no randomness of their own.

Resources say what a route wants; this room turns that into functions, once a configuration.
"""

from .domains import fitting_domain, select_virtual_host
from .headers import CallHeaders, RequestHeaders, compile_header, describe_header
from .queries import compile_query, describe_query, found_parameter
from .table import Draw, RouteTable, Rule, Step, found

__all__ = [
    "CallHeaders",
    "Draw",
    "RequestHeaders",
    "RouteTable",
    "Rule",
    "Step",
    "compile_header",
    "compile_query",
    "describe_header",
    "describe_query",
    "fitting_domain",
    "found",
    "found_parameter",
    "select_virtual_host",
]
