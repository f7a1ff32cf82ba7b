"""Which operation a request asks for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.s3.router import SUB_RESOURCES, Router
from lightningstor_server.service.operation import Operation, Target, operations
from lightningstor_types.errors import MethodNotAllowed, NotImplemented, StorError

ROUTED = [operation for operation in operations().values() if operation.route]
ROUTER = Router(ROUTED)
SOURCE = {"x-amz-copy-source": "bucket/key"}


def named(method: str, target: Target, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> str:
    """The name of the operation."""
    return ROUTER.find(method, target, query or {}, headers or {}).name


@pytest.mark.parametrize("operation", ROUTED, ids=lambda operation: operation.name)
def test_every_route_finds_its_operation(operation: Operation[object, object]) -> None:
    """What a route asks for, and nothing else, leads to its operation; arguments and other headers change nothing."""
    route = operation.route
    assert route is not None
    query = dict(part.partition("=")[::2] for part in route.query)
    headers = {route.header: "x"} if route.header else {}
    assert named(route.method, route.target, query, headers) == operation.name
    assert named(route.method, route.target, {**query, "x-id": "Name", "unknown": ""}, {**headers, "range": "x"}) == operation.name


@pytest.mark.parametrize(
    ("method", "target", "query", "headers", "name"),
    [
        ("PUT", Target.OBJECT, {}, {}, "PutObject"),
        ("PUT", Target.OBJECT, {}, SOURCE, "CopyObject"),
        ("PUT", Target.OBJECT, {"partNumber": "1", "uploadId": "a"}, {}, "UploadPart"),
        ("PUT", Target.OBJECT, {"partNumber": "1", "uploadId": "a"}, SOURCE, "UploadPartCopy"),
        ("GET", Target.OBJECT, {"partNumber": "1"}, {}, "GetObject"),
        ("HEAD", Target.OBJECT, {"partNumber": "1"}, {}, "HeadObject"),
        ("GET", Target.OBJECT, {"versionId": "1", "response-expires": "0"}, {}, "GetObject"),
        ("GET", Target.OBJECT, {"uploadId": "a"}, {}, "ListParts"),
        ("DELETE", Target.OBJECT, {"versionId": "a"}, {}, "DeleteObject"),
        ("DELETE", Target.OBJECT, {"uploadId": "a"}, {}, "AbortMultipartUpload"),
        ("POST", Target.OBJECT, {"uploads": ""}, {}, "CreateMultipartUpload"),
        ("POST", Target.OBJECT, {"uploadId": "a"}, {}, "CompleteMultipartUpload"),
        ("GET", Target.BUCKET, {}, {}, "ListObjects"),
        ("GET", Target.BUCKET, {"list-type": "1"}, {}, "ListObjects"),
        ("GET", Target.BUCKET, {"list-type": "2"}, {}, "ListObjectsV2"),
        ("GET", Target.BUCKET, {"location": "", "prefix": "a"}, {}, "GetBucketLocation"),
        ("PUT", Target.BUCKET, {}, SOURCE, "CreateBucket"),
        ("GET", Target.SERVICE, {"prefix": "a"}, {}, "ListBuckets"),
    ],
)
def test_the_most_demanding_route_wins(method: str, target: Target, query: dict[str, str], headers: dict[str, str], name: str) -> None:
    """A request goes to the operation that asks for most of what it has."""
    assert named(method, target, query, headers) == name


@pytest.mark.parametrize("resource", sorted(SUB_RESOURCES))
@pytest.mark.parametrize("target", Target)
def test_a_sub_resource_is_never_the_resource(resource: str, target: Target) -> None:
    """A sub-resource leads to an operation whose route names it, or to none."""
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        for headers in ({}, SOURCE):
            try:
                operation = ROUTER.find(method, target, {resource: ""}, headers)
            except (NotImplemented, MethodNotAllowed):
                continue
            assert operation.route is not None
            assert resource in operation.route.query or (resource == "partNumber" and method in {"GET", "HEAD"})


PAIRS = [{"uploadId": "a", "tagging": ""}, {"uploads": "", "acl": ""}, {"location": "", "policy": ""}, {"acl": "", "policy": ""}]


@pytest.mark.parametrize("query", PAIRS)
def test_two_sub_resources(query: dict[str, str]) -> None:
    """A request for two things at once is a request for neither."""
    for target in (Target.OBJECT, Target.BUCKET):
        with pytest.raises((NotImplemented, MethodNotAllowed)):
            named("GET", target, query)


@given(
    method=st.text(max_size=8),
    target=st.sampled_from(Target),
    query=st.dictionaries(st.sampled_from(sorted(SUB_RESOURCES)), st.text(max_size=3)),
)
def test_any_request(method: str, target: Target, query: dict[str, str]) -> None:
    """Every request finds an operation of its method and target, or a typed error."""
    try:
        operation = ROUTER.find(method, target, query, {})
    except StorError:
        return
    assert operation.route is not None
    assert (operation.route.method, operation.route.target) == (method, target)
