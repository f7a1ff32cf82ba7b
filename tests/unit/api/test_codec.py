"""The codec between protobuf messages and the classes of the types package."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from lightningstor_api.codec import decoder, encoder, is_stream, parsed
from lightningstor_api.methods import METHODS
from lightningstor_api.v1 import bucket_service_pb2, object_service_pb2, types_pb2, uploads_pb2
from lightningstor_types import errors
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId
from lightningstor_types.objects import ObjectMetadata, StorageClass
from lightningstor_types.operations.listing import ListObjectsV2
from lightningstor_types.operations.objects import GetObjectResult, HeadObject, PutObject, UpdateObject
from lightningstor_types.operations.uploads import UploadPart
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import SecretKey

PAIRS = sorted(
    {(method.head, method.input) for method in METHODS.values()} | {(method.answer, method.output) for method in METHODS.values()},
    key=lambda pair: pair[0].full_name,
)
SAMPLES: dict[type, Any] = {
    str: "text",
    int: 7,
    bool: True,
    datetime: datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    BucketName: BucketName("bucket"),
    PartNumber: PartNumber(3),
    SecretKey: SecretKey("a-secret-key"),
}
BODY = BytesStream(b"")


def filled(hint: Any) -> Any:
    """A value of a type with every field set, down to the last."""
    if hasattr(hint, "__metadata__"):
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        (hint,) = (choice for choice in typing.get_args(hint) if choice is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return (filled(typing.get_args(hint)[0]),) * 2
    if typing.get_origin(hint) is Mapping:
        return {"one": "first", "two": "second"}
    if attrs.has(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        return hint(**{field.name: BODY if is_stream(hints[field.name]) else filled(hints[field.name]) for field in attrs.fields(hint)})
    if issubclass(hint, StrEnum):
        return list(hint)[-1]
    return SAMPLES[hint] if hint in SAMPLES else hint("text")


def passed(message: Descriptor, value: Any) -> Any:
    """A value after a way over the wire."""
    raw = encoder(message, type(value))(value).SerializeToString()
    streams = {"body": value.body} if hasattr(value, "body") else {}
    return decoder(message, type(value))(GetMessageClass(message).FromString(raw), **streams)


@pytest.mark.parametrize(("message", "cls"), PAIRS, ids=lambda part: getattr(part, "name", ""))
def test_every_pair_has_the_same_fields(message: Descriptor, cls: type[Any]) -> None:
    """A message has the fields of its class and no others, streams excepted."""
    hints = typing.get_type_hints(cls, include_extras=True)
    names = {field.name for field in attrs.fields(cls) if not is_stream(hints[field.name])}
    assert {field.name for field in message.fields} == names


@pytest.mark.parametrize(("message", "cls"), PAIRS, ids=lambda part: getattr(part, "name", ""))
def test_a_filled_value_arrives_as_it_was(message: Descriptor, cls: type[Any]) -> None:
    """Nothing of a value with every field set is lost or changed on the way, in no class of the api."""
    value = filled(cls)
    assert passed(message, value) == value


@pytest.mark.parametrize(("message", "cls"), PAIRS, ids=lambda part: getattr(part, "name", ""))
def test_a_bare_value_arrives_as_it_was(message: Descriptor, cls: type[Any]) -> None:
    """A value that sets only what it must has its defaults again on the other side."""
    hints = typing.get_type_hints(cls, include_extras=True)
    needed = {
        field.name: BODY if is_stream(hints[field.name]) else filled(hints[field.name])
        for field in attrs.fields(cls)
        if field.default is attrs.NOTHING
    }
    value = cls(**needed)
    assert passed(message, value) == value


def test_every_message_of_a_service_is_some_values() -> None:
    """No message stands in the files that no rpc carries."""
    seen: set[str] = set()

    def walk(message: Descriptor) -> None:
        if message.full_name in seen:
            return
        seen.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                walk(field.message_type)

    for method in METHODS.values():
        walk(method.request.DESCRIPTOR)  # type: ignore[arg-type]
        walk(method.response.DESCRIPTOR)  # type: ignore[arg-type]
    declared = {
        message.full_name
        for module in (types_pb2, bucket_service_pb2, object_service_pb2, uploads_pb2)
        for message in module.DESCRIPTOR.message_types_by_name.values()
    }
    assert declared <= seen


def test_zero_is_not_absence() -> None:
    """`max_keys=0` asks for no key; a request that does not say it asks for 1,000."""
    message = object_service_pb2.ListObjectsV2Request
    read = decoder(message.DESCRIPTOR, ListObjectsV2)
    assert read(message(bucket="bucket")).max_keys == 1000
    assert read(message(bucket="bucket", max_keys=0)).max_keys == 0
    assert read(message(bucket="bucket", prefix="")).prefix == ""
    assert read(message(bucket="bucket")).prefix is None


def test_names_are_parsed() -> None:
    """What was decoded is valid: a name that breaks its rules raises what S3 says of it."""
    head = decoder(object_service_pb2.HeadObjectRequest.DESCRIPTOR, HeadObject)
    part = decoder(uploads_pb2.UploadPartRequest.DESCRIPTOR, UploadPart)
    with pytest.raises(errors.InvalidBucketName):
        head(object_service_pb2.HeadObjectRequest(bucket="No", key="k"))
    with pytest.raises(errors.InvalidBucketName):
        head(object_service_pb2.HeadObjectRequest(key="k"))
    with pytest.raises(errors.KeyTooLongError):
        head(object_service_pb2.HeadObjectRequest(bucket="bucket", key="k" * 1025))
    with pytest.raises(errors.InvalidArgument):
        head(object_service_pb2.HeadObjectRequest(bucket="bucket"))
    with pytest.raises(errors.NoSuchUpload):
        part(uploads_pb2.UploadPartRequest(bucket="bucket", key="k", upload_id="/", part_number=1), body=BODY)
    for number in (-1, 0, 10_001):
        with pytest.raises(errors.InvalidArgument):
            part(uploads_pb2.UploadPartRequest(bucket="bucket", key="k", upload_id="u", part_number=number), body=BODY)
    request = part(uploads_pb2.UploadPartRequest(bucket="bucket", key="k", upload_id="u", part_number=10_000), body=BODY)
    assert isinstance(request.bucket, BucketName)
    assert isinstance(request.key, ObjectKey)
    assert isinstance(request.upload_id, UploadId)
    assert isinstance(request.part_number, PartNumber)


def test_an_unknown_choice_is_refused() -> None:
    """A name that is none of an enumeration's is an InvalidArgument which names the field."""
    read = decoder(object_service_pb2.PutObjectRequest.DESCRIPTOR, PutObject)
    with pytest.raises(errors.InvalidArgument) as caught:
        read(object_service_pb2.PutObjectRequest(bucket="bucket", key="k", storage_class="FAST"), body=BODY)
    assert caught.value.details == {"ArgumentName": "storage_class", "ArgumentValue": "FAST"}
    request = read(object_service_pb2.PutObjectRequest(bucket="bucket", key="k"), body=BODY)
    assert request.storage_class is StorageClass.STANDARD


def test_a_missing_value_is_refused() -> None:
    """A message that has to be there and is not is an InvalidArgument which names it."""
    read = decoder(object_service_pb2.GetObjectResult.DESCRIPTOR, GetObjectResult)
    with pytest.raises(errors.InvalidArgument, match="object"):
        read(object_service_pb2.GetObjectResult(), body=BODY)


def test_bytes_that_are_no_message_are_refused() -> None:
    """A request that cannot be parsed is the client's error and not the server's."""
    with pytest.raises(errors.InvalidArgument):
        parsed(object_service_pb2.HeadObjectRequest, b"\xff\xff")


def test_a_field_of_the_future_is_refused() -> None:
    """A request with a field that is not known is refused, at any depth: it may be a condition."""
    unknown = b"\xf8\x07\x01"  # field 127, varint 1
    known = object_service_pb2.PutObjectRequest(bucket="bucket", key="k").SerializeToString()
    assert parsed(object_service_pb2.PutObjectRequest, known).bucket == "bucket"
    with pytest.raises(errors.InvalidArgument, match="does not know"):
        parsed(object_service_pb2.PutObjectRequest, known + unknown)
    with pytest.raises(errors.InvalidArgument, match="does not know"):
        parsed(object_service_pb2.PutObjectRequest, known + b"\x22" + bytes([len(unknown)]) + unknown)  # inside `conditions`


def test_times_keep_their_microseconds_and_have_bounds() -> None:
    """A time arrives to the microsecond, before 1970 as well; one beyond Python's years is refused."""
    message = object_service_pb2.HeadObjectRequest
    read = decoder(message.DESCRIPTOR, HeadObject)
    early = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    request = HeadObject(bucket=BucketName("bucket"), key=ObjectKey("k"))
    request = attrs.evolve(request, conditions=attrs.evolve(request.conditions, if_modified_since=early))
    assert passed(message.DESCRIPTOR, request).conditions.if_modified_since - early == timedelta(0)
    content = message(bucket="bucket", key="k")
    content.conditions.if_modified_since.CopyFrom(Timestamp(seconds=2**60))
    with pytest.raises(errors.InvalidArgument):
        read(content)


def test_masks_and_maps_keep_their_content() -> None:
    """A field mask is its paths in their order; user metadata are handed on name by name."""
    request = UpdateObject(
        bucket=BucketName("bucket"),
        key=ObjectKey("k"),
        metadata=ObjectMetadata(user={"a": "1", "ä": ""}),
        update_mask=("user", "expires"),
    )
    assert passed(object_service_pb2.UpdateObjectRequest.DESCRIPTOR, request) == request


def test_what_does_not_match_does_not_compile() -> None:
    """A message and a class that differ in a field are found when the codec is made, not when it is used."""
    with pytest.raises(TypeError, match="differ in"):
        decoder(object_service_pb2.HeadObjectRequest.DESCRIPTOR, UpdateObject)
