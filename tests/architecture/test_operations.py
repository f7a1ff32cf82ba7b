"""The operation table is total."""

from __future__ import annotations

import attrs
import pytest

from lightningstor_api.methods import METHODS
from lightningstor_server.s3.decode import Decoder
from lightningstor_server.s3.encode import Encoder
from lightningstor_server.s3.router import SUB_RESOURCES
from lightningstor_server.service.operation import Operation, operations
from lightningstor_types.names import BucketName, ObjectKey
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.operations.copying import CopyObject, UploadPartCopy
from lightningstor_types.operations.objects import DeleteObjects

OPERATIONS = sorted(operations().values(), key=lambda operation: operation.name)

WITHOUT_A_TWIN = {
    # operation: why the other front has none
    "HeadBucket": "gRPC has GetBucket",
    "GetBucketLocation": "gRPC has GetBucket, which says the region",
    "ListObjects": "the older form of ListObjectsV2",
    "GetBucket": "S3 spreads it over its sub-resources",
    "UpdateBucket": "S3 spreads it over its sub-resources",
    "GetUsage": "S3 has no usage",
    "IssueToken": "S3 signs each request; STS is another API",
    "UpdateObject": "S3 copies an object onto itself",
    "CreateOrganisation": "S3 has no administration of tenants",
    "ListOrganisations": "S3 has no administration of tenants",
    "DeleteOrganisation": "S3 has no administration of tenants",
    "CreateProject": "S3 has no administration of tenants",
    "ListProjects": "S3 has no administration of tenants",
    "UpdateProject": "S3 has no administration of tenants",
    "DeleteProject": "S3 has no administration of tenants",
    "CreatePrincipal": "S3 has no administration of tenants",
    "SetRole": "S3 has no administration of tenants",
    "ListPrincipals": "S3 has no administration of tenants",
    "DeletePrincipal": "S3 has no administration of tenants",
    "CreateAccessKey": "S3 has no administration of tenants",
    "ListAccessKeys": "S3 has no administration of tenants",
    "RevokeAccessKey": "S3 has no administration of tenants",
    "DeleteAccessKey": "S3 has no administration of tenants",
    "SetQuota": "S3 has no administration of tenants",
    "GetTenantUsage": "S3 has no administration of tenants",
    "QueryUpload": "S3 lists the parts",
    "GetBucketAccelerateConfiguration": "a probe of S3 clients; not yet a setting",
    "GetBucketRequestPayment": "a probe of S3 clients; not yet a setting",
    "GetBucketLogging": "a probe of S3 clients; not yet a setting",
    "GetBucketNotificationConfiguration": "a probe of S3 clients; not yet a setting",
    "PutBucketPolicy": "access as S3 says it; over gRPC tenants go by their roles",
    "GetBucketPolicy": "access as S3 says it; over gRPC tenants go by their roles",
    "DeleteBucketPolicy": "access as S3 says it; over gRPC tenants go by their roles",
    "PutBucketCors": "for browsers, which speak no gRPC",
    "GetBucketCors": "for browsers, which speak no gRPC",
    "DeleteBucketCors": "for browsers, which speak no gRPC",
    "PutBucketLifecycleConfiguration": "rules are written in S3's XML by S3's tools",
    "GetBucketLifecycleConfiguration": "rules are written in S3's XML by S3's tools",
    "DeleteBucketLifecycle": "rules are written in S3's XML by S3's tools",
    "GetBucketWebsite": "a probe of S3 clients; not yet a setting",
    "GetBucketReplication": "a probe of S3 clients; not yet a setting",
    "PutBucketAcl": "access as S3 says it; over gRPC tenants go by their roles",
    "GetBucketAcl": "access as S3 says it; over gRPC tenants go by their roles",
    "PutObjectAcl": "access as S3 says it; over gRPC tenants go by their roles",
    "GetObjectAcl": "access as S3 says it; over gRPC tenants go by their roles",
    "PutBucketOwnershipControls": "access as S3 says it; over gRPC tenants go by their roles",
    "GetBucketOwnershipControls": "access as S3 says it; over gRPC tenants go by their roles",
    "DeleteBucketOwnershipControls": "access as S3 says it; over gRPC tenants go by their roles",
    "PutPublicAccessBlock": "access as S3 says it; over gRPC tenants go by their roles",
    "GetPublicAccessBlock": "access as S3 says it; over gRPC tenants go by their roles",
    "DeletePublicAccessBlock": "access as S3 says it; over gRPC tenants go by their roles",
    "GetBucketPolicyStatus": "access as S3 says it; over gRPC tenants go by their roles",
    "GetObjectTorrent": "no object has one; S3 has to say so",
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_has_an_action(operation: Operation[object, object]) -> None:
    """An operation's action is a name with its service, or a function that yields them."""
    assert callable(operation.action) or operation.action.startswith(("s3:", "lightningstor:"))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_has_a_twin_or_a_reason(operation: Operation[object, object]) -> None:
    """An operation has a route and an rpc, or stands in the list of those that need no twin."""
    has_both = operation.route is not None and operation.rpc is not None
    assert has_both != (operation.name in WITHOUT_A_TWIN)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_compiles(operation: Operation[object, object]) -> None:
    """Inputs and outputs with a route have a text form for every field that travels."""
    if operation.route is not None:
        Decoder(operation.input)
        Encoder(operation.output)


def test_no_two_operations_share_a_route() -> None:
    """Method, target, query and header name one operation."""
    routes = [(o.route.method, o.route.target, o.route.query, o.route.header) for o in OPERATIONS if o.route]
    assert len(routes) == len(set(routes))


def test_every_sub_resource_of_a_route_is_known() -> None:
    """What a route asks for in the query is in the router's list, so that others cannot be taken for it."""
    named = {part.partition("=")[0] for operation in OPERATIONS if operation.route for part in operation.route.query}
    assert named - {"list-type"} <= SUB_RESOURCES


def test_every_rpc_has_its_operation() -> None:
    """The proto's methods and the operations' rpcs are the same set."""
    assert {operation.rpc for operation in OPERATIONS if operation.rpc} == set(METHODS)


def test_permissions_name_the_bucket_of_the_request() -> None:
    """Whatever names a bucket asks for a permission on it first, which is what the door resolves."""
    for operation in OPERATIONS:
        if not issubclass(operation.input, OnBucket) or operation.input in {CopyObject, UploadPartCopy, DeleteObjects}:
            continue
        shape = attrs.fields_dict(operation.input)
        names = {"bucket": BucketName("bucket"), "key": ObjectKey("key")}
        request = object.__new__(operation.input)
        for name in shape:
            object.__setattr__(request, name, names.get(name))
        assert {permission.bucket for permission in operation.permissions(request)} == {"bucket"}
