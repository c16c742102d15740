from bookinfo_pb.v1 import hop_pb2 as _hop_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetDetailsRequest(_message.Message):
    __slots__ = ("product_id",)
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    product_id: int
    def __init__(self, product_id: _Optional[int] = ...) -> None: ...

class GetDetailsResponse(_message.Message):
    __slots__ = ("details", "hop")
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    details: BookDetails
    hop: _hop_pb2.Hop
    def __init__(self, details: _Optional[_Union[BookDetails, _Mapping]] = ..., hop: _Optional[_Union[_hop_pb2.Hop, _Mapping]] = ...) -> None: ...

class BookDetails(_message.Message):
    __slots__ = ("product_id", "author", "year", "type", "pages", "publisher", "language", "isbn_10", "isbn_13", "genre")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAGES_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ISBN_10_FIELD_NUMBER: _ClassVar[int]
    ISBN_13_FIELD_NUMBER: _ClassVar[int]
    GENRE_FIELD_NUMBER: _ClassVar[int]
    product_id: int
    author: str
    year: int
    type: str
    pages: int
    publisher: str
    language: str
    isbn_10: str
    isbn_13: str
    genre: str
    def __init__(self, product_id: _Optional[int] = ..., author: _Optional[str] = ..., year: _Optional[int] = ..., type: _Optional[str] = ..., pages: _Optional[int] = ..., publisher: _Optional[str] = ..., language: _Optional[str] = ..., isbn_10: _Optional[str] = ..., isbn_13: _Optional[str] = ..., genre: _Optional[str] = ...) -> None: ...
