from bookinfo_pb.v1 import hop_pb2 as _hop_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetReviewsRequest(_message.Message):
    __slots__ = ("product_id",)
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    product_id: int
    def __init__(self, product_id: _Optional[int] = ...) -> None: ...

class GetReviewsResponse(_message.Message):
    __slots__ = ("product_id", "reviews", "hop", "ratings_error")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    RATINGS_ERROR_FIELD_NUMBER: _ClassVar[int]
    product_id: int
    reviews: _containers.RepeatedCompositeFieldContainer[Review]
    hop: _hop_pb2.Hop
    ratings_error: str
    def __init__(self, product_id: _Optional[int] = ..., reviews: _Optional[_Iterable[_Union[Review, _Mapping]]] = ..., hop: _Optional[_Union[_hop_pb2.Hop, _Mapping]] = ..., ratings_error: _Optional[str] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("reviewer", "text", "rating")
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    reviewer: str
    text: str
    rating: Rating
    def __init__(self, reviewer: _Optional[str] = ..., text: _Optional[str] = ..., rating: _Optional[_Union[Rating, _Mapping]] = ...) -> None: ...

class Rating(_message.Message):
    __slots__ = ("stars", "color")
    STARS_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    stars: int
    color: str
    def __init__(self, stars: _Optional[int] = ..., color: _Optional[str] = ...) -> None: ...
