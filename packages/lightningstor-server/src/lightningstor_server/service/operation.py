"""An operation is a value: name, HTTP shape, rpc, permission, input, output and rule together.

Law: the S3 front and the gRPC front interpret these values; nothing else knows both sides. This
module's table is the only module state of the server.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs
from attrs import frozen

if TYPE_CHECKING:
    from lightningstor_server.service.core import Context  # noqa: TC004 - core imports this module; nothing resolves the name here

I = TypeVar("I")  # noqa: E741 - the field's usual name for an input
O = TypeVar("O")  # noqa: E741 - and for an output


class Target(Enum):
    """What the path of an S3 request names."""

    SERVICE = auto()
    BUCKET = auto()
    OBJECT = auto()


@frozen
class Route:
    """The HTTP shape of an operation on the S3 address.

    `query` names the parameters that must be there (a value is compared where one is given, as in
    `list-type=2`), `header` one that must be. The more a route asks for, the earlier it is tried.
    """

    method: str
    target: Target
    query: tuple[str, ...] = ()
    header: str | None = None
    status: int = 200
    digest_required: bool = False
    """The body needs a Content-MD5 or an x-amz-checksum header (AWS, DeleteObjects)."""


@frozen(kw_only=True)
class Tenancy:
    """An organisation or a project as what is administered; without names it is the whole deployment."""

    organisation: str | None = None
    project: str | None = None


@frozen(kw_only=True)
class Permission:
    """An action on a resource. Without any resource it is the caller's project that is acted on."""

    action: str
    bucket: str | None = None
    key: str | None = None
    version: str | None = None
    """The version of the object, where not the current one is meant."""
    tenants: Tenancy | None = None
    """What is acted on where it is tenants themselves."""
    alone: bool = False
    """Denied, it fails alone and not the request: the rule asks `Context.allows`."""
    listed: str | None = None
    """The prefix that it is about, where the request itself names none."""
    fresh: bool = False
    """Whether the object is one that the request itself makes, so that it has no list of its own yet."""


Action = str | Callable[[Any], Iterable[Permission]]


@frozen(kw_only=True, eq=False)
class Operation(Generic[I, O]):
    """One operation, as both fronts see it."""

    name: str
    input: type[I]
    output: type[O]
    route: Route | None
    rpc: str | None
    action: Action
    rule: Callable[[Context, I], Awaitable[O]]
    streams: bool
    """Whether a body travels with the input or the output; such a call takes as long as the body."""

    def permissions(self, request: I) -> Iterable[Permission]:
        """What the caller must be allowed to do for this request."""
        if callable(self.action):
            return self.action(request)
        return (Permission(action=self.action, bucket=getattr(request, "bucket", None), key=getattr(request, "key", None)),)


_TABLE: Final[dict[str, Operation[Any, Any]]] = {}


def operation(
    input_: type[I], route: Route | None = None, *, rpc: str | None = None, action: Action
) -> Callable[[Callable[[Context, I], Awaitable[O]]], Callable[[Context, I], Awaitable[O]]]:
    """Enter the decorated rule into the table. The output is the rule's declared return type.

    Raises:
        ValueError: the operation has neither route nor rpc, or its name is taken.
    """

    def enter(rule: Callable[[Context, I], Awaitable[O]]) -> Callable[[Context, I], Awaitable[O]]:
        name = input_.__name__
        if (route is None and rpc is None) or name in _TABLE:
            raise ValueError(f"operation {name}: no route and no rpc, or entered twice")
        output = typing.get_type_hints(rule)["return"]
        shapes: tuple[Any, ...] = (input_, output)
        streams = any("body" in {field.name for field in attrs.fields(cls)} for cls in shapes)
        _TABLE[name] = Operation(name=name, input=input_, output=output, route=route, rpc=rpc, action=action, rule=rule, streams=streams)
        return rule

    return enter


def operations() -> Mapping[str, Operation[Any, Any]]:
    """Every operation by its name, which is S3's where S3 has it."""
    import lightningstor_server.service.families  # noqa: F401, PLC0415 - entering the rules needs this module first

    return MappingProxyType(_TABLE)
