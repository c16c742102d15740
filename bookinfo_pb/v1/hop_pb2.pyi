from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hop(_message.Message):
    __slots__ = ("service", "version", "instance", "lane", "calls", "asked_us", "took_us")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    ASKED_US_FIELD_NUMBER: _ClassVar[int]
    TOOK_US_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    instance: str
    lane: str
    calls: _containers.RepeatedCompositeFieldContainer[Hop]
    asked_us: int
    took_us: int
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., instance: _Optional[str] = ..., lane: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[Hop, _Mapping]]] = ..., asked_us: _Optional[int] = ..., took_us: _Optional[int] = ...) -> None: ...
