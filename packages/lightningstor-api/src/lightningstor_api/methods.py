"""Every rpc of the api, with the classes that its messages carry.

Law: the descriptors of the services are the table, and the names do the work: a request message is
named for its operation's input and ends in `Request`, an answer is named for the output. A message
with a field `head` is one of a stream, and its head is what carries the class. A name without a
class fails at import.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import attrs
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from lightningstor_api.v1 import bucket_service_pb2, object_service_pb2, tenant_service_pb2, token_service_pb2
from lightningstor_types.operations import (
    attributes,
    buckets,
    common,
    copying,
    listing,
    objects,
    principals,
    quotas,
    retention,
    tagging,
    tenants,
    tokens,
    upload_listing,
    uploads,
    versioning,
)

SERVICES: Final = (
    bucket_service_pb2.DESCRIPTOR.services_by_name["BucketService"],
    object_service_pb2.DESCRIPTOR.services_by_name["ObjectService"],
    token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],
    tenant_service_pb2.DESCRIPTOR.services_by_name["TenantService"],
)
FAMILIES: Final[tuple[ModuleType, ...]] = (
    attributes,
    buckets,
    common,
    copying,
    listing,
    objects,
    principals,
    quotas,
    retention,
    tagging,
    tenants,
    tokens,
    upload_listing,
    uploads,
    versioning,
)


@attrs.frozen(kw_only=True, eq=False)
class Method:
    """An rpc as both ends see it."""

    rpc: str
    """`Service.Method`, as an operation names its rpc."""
    path: str
    """The name on the wire, `/package.Service/Method`; it is what a signature covers."""
    input: type[Any]
    output: type[Any]
    request: type[Message]
    """The message, or each message of the stream, that is sent to the server."""
    response: type[Message]
    head: Descriptor
    """The message that carries the input: the request, or the head of the stream's first message."""
    answer: Descriptor
    """The message that carries the output, likewise."""
    streams_in: bool
    streams_out: bool
    repeatable: bool
    """The rpc has no side effects, so a call that failed may be made again."""


def _head_of(message: Descriptor) -> Descriptor:
    head = message.fields_by_name.get("head")
    return message if head is None or head.message_type is None else head.message_type


def _classes() -> dict[str, type[Any]]:
    return {name: value for family in FAMILIES for name, value in vars(family).items() if isinstance(value, type) and attrs.has(value)}


def _method(descriptor: MethodDescriptor, classes: dict[str, type[Any]]) -> Method:
    service = descriptor.containing_service
    head, answer = _head_of(descriptor.input_type), _head_of(descriptor.output_type)
    return Method(
        rpc=f"{service.name}.{descriptor.name}",
        path=f"/{service.full_name}/{descriptor.name}",
        input=classes[head.name.removesuffix("Request")],
        output=classes[answer.name],
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        head=head,
        answer=answer,
        streams_in=descriptor.client_streaming,
        streams_out=descriptor.server_streaming,
        repeatable=descriptor.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
    )


def _table() -> dict[str, Method]:
    classes = _classes()
    methods = (_method(descriptor, classes) for service in SERVICES for descriptor in service.methods)
    return {method.rpc: method for method in methods}


METHODS: Final = _table()
"""Every rpc, by `Service.Method`."""
