"""Who may do what: every operation by every role, and no tenant in another's buckets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import attrs
import pytest

from lightningstor_server.auth.policy import NEUTRAL, Decision
from lightningstor_server.auth.policy import Verdict as Said
from lightningstor_server.service.authorization import Verdict, decide, role_allows
from lightningstor_server.service.operation import Operation, Permission, Target, operations
from lightningstor_types import errors
from lightningstor_types.names import ObjectKey
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.tenants import BucketNamespace, Caller, Role
from unit.service.rig import BUCKET, Pieces, Rig, enter_caller, make_rig, project

READING_NAMES: Final = ("Get", "List", "Head", "Query", "IssueToken")
ALL_OPERATIONS: Final = pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.name)


def permissions(operation: Operation[Any, Any]) -> list[Permission]:
    """Of a request that names a bucket, a key and a source."""
    there = SimpleNamespace(bucket=BUCKET, key="k", version_id=None)
    names = {field.name for field in attrs.fields(operation.input)}
    defaults = {field.name: field.default for field in attrs.fields(operation.input)}
    request = SimpleNamespace(
        **{name: default for name, default in defaults.items() if name not in {"bucket", "key", "source", "objects", "version_id"}},
        bucket=BUCKET if "bucket" in names else None,
        key="k" if "key" in names else None,
        source=there,
        objects=(there,),
        version_id=None,
    )
    return list(operation.permissions(request))


def reads(operation: Operation[Any, Any]) -> bool:
    """Whether it changes nothing: by its method, or by its name where it has none."""
    if operation.route is not None:
        return operation.route.method in {"GET", "HEAD"}
    return operation.name.startswith(READING_NAMES)


def on_objects(operation: Operation[Any, Any]) -> bool:
    """Whether it is objects that it changes."""
    in_route = operation.route is not None and operation.route.target is Target.OBJECT
    return in_route or operation.name in {"DeleteObjects", "UpdateObject"}


@ALL_OPERATIONS
def test_an_operation_asks_for_a_permission(operation: Operation[Any, Any]) -> None:
    """At least one, on the bucket that it names."""
    asked = permissions(operation)
    assert asked
    assert all((permission.bucket == BUCKET) == issubclass(operation.input, OnBucket) for permission in asked)
    assert all(permission.action.startswith(("s3:", "lightningstor:")) for permission in asked)


@pytest.mark.parametrize(
    "operation",
    [operation for operation in operations().values() if not any(permission.tenants for permission in permissions(operation))],
    ids=lambda operation: operation.name,
)
@pytest.mark.parametrize("role", Role)
def test_a_role_allows_what_it_is_for(operation: Operation[Any, Any], role: Role) -> None:
    """Owners everything; editors reading and objects; viewers reading alone."""
    allowed = all(role_allows(role, permission.action) for permission in permissions(operation))
    expected = {Role.OWNER: True, Role.EDITOR: reads(operation) or on_objects(operation), Role.VIEWER: reads(operation)}
    assert allowed == expected[role]


@pytest.mark.parametrize("action", ["", "s3", "s3:", "S3:GetObject", "iam:CreateUser", "s3x:GetObject", "*"])
@pytest.mark.parametrize("role", Role)
def test_what_is_not_allowed_is_denied(role: Role, action: str) -> None:
    """There is no other way in than a pattern that matches."""
    assert role_allows(role, action) == (role is Role.OWNER and action == "s3:")


@ALL_OPERATIONS
async def test_nobody_is_allowed_nothing(operation: Operation[Any, Any], rig: Rig) -> None:
    """An anonymous caller may nothing on its own, and nothing in a bucket as it is made."""
    bucket = await rig.metadata.read(lambda tx: tx.buckets.find(rig.service.namespace(rig.caller.project), BUCKET))
    for permission in permissions(operation):
        assert decide(None, permission, None) is Verdict.DENIED
        assert decide(None, permission, bucket) is Verdict.DENIED


SAID: Final = {
    "nothing": NEUTRAL,
    "allow": Decision(Said.ALLOW),
    "allow the account": Decision(Said.ALLOW, delegated=True),
    "deny": Decision(Said.DENY),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:PutBucketPolicy", "s3:PutBucketAcl", "lightningstor:GetUsage"])
async def test_the_order_of_decision(rig: Rig, action: str, *, same: bool, role: Role | None, said: str) -> None:
    """Denial first, but for an owner's hand on the policy; then role or policy within the project, and both of them beyond it."""
    of = project() if same else project("q", "x")
    caller = None if role is None else await enter_caller(rig.metadata, of, role)
    bucket = await rig.metadata.read(lambda tx: tx.buckets.find(rig.service.namespace(rig.caller.project), BUCKET))
    by_role = role is not None and role_allows(role, action)
    if same and role is Role.OWNER and action == "s3:PutBucketPolicy":
        expected = True
    elif said == "deny":
        expected = False
    elif not action.startswith("s3:"):
        expected = same and by_role
    elif role is None:
        expected = said.startswith("allow")
    elif same:
        expected = by_role or said == "allow"
    else:
        expected = by_role and said.startswith("allow")
    verdict = decide(caller, Permission(action=action, bucket=BUCKET, key="k"), bucket, SAID[said])
    assert verdict is (Verdict.ALLOWED if expected else Verdict.DENIED)


async def test_without_a_root_project_nobody_finds_anything(rig: Rig) -> None:
    """An anonymous request for a bucket is denied, whether there is such a bucket or not."""
    for name in (BUCKET, "nowhere"):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(None, "HeadBucket", bucket=name)


async def strangers(namespace: BucketNamespace, organisation: str) -> tuple[Rig, Caller]:
    """A rig with a bucket and an object, and an owner of another project."""
    rig = await make_rig(bucket_namespace=namespace)
    await rig.call("CreateBucket")
    await rig.put("k", b"secret")
    return rig, await enter_caller(rig.metadata, project("q", organisation))


REACHING: Final[dict[str, dict[str, Any]]] = {
    "GetObject": {"key": "k"},
    "HeadObject": {"key": "k"},
    "PutObject": {"key": "k", "body": Pieces(RuntimeError("asked for"))},
    "DeleteObject": {"key": "k"},
    "DeleteObjects": {"objects": (ObjectIdentifier(key="k"),)},
    "CopyObject": {"key": "c", "source": CopySource(bucket=BUCKET, key=ObjectKey("k"))},
    "UpdateObject": {"key": "k"},
    "ListObjects": {},
    "ListObjectsV2": {},
    "ListMultipartUploads": {},
    "CreateMultipartUpload": {"key": "k"},
    "HeadBucket": {},
    "GetBucket": {},
    "GetBucketLocation": {},
    "GetUsage": {},
    "UpdateBucket": {"labels": {"a": "b"}},
    "GetBucketPolicy": {},
    "GetBucketVersioning": {},
    "DeleteBucket": {},
}


@pytest.mark.parametrize(
    ("namespace", "organisation", "error"),
    [
        (BucketNamespace.PROJECT, "o", errors.NoSuchBucket),
        (BucketNamespace.PROJECT, "x", errors.NoSuchBucket),
        (BucketNamespace.ORGANISATION, "o", errors.NoSuchBucket),
        (BucketNamespace.ORGANISATION, "x", errors.NoSuchBucket),
        (BucketNamespace.GLOBAL, "o", errors.AccessDenied),
        (BucketNamespace.GLOBAL, "x", errors.AccessDenied),
    ],
)
async def test_a_foreign_bucket_is_out_of_reach(namespace: BucketNamespace, organisation: str, error: type[errors.StorError]) -> None:
    """By every operation: it answers as a missing one, or as AWS's does where names are global; nothing of it is told."""
    rig, stranger = await strangers(namespace, organisation)
    for name, fields in REACHING.items():
        if name == "DeleteObjects" and error is errors.AccessDenied:
            assert {failure.code for failure in (await rig.call_as(stranger, name, **fields)).errors} == {"AccessDenied"}
            continue
        with pytest.raises(error) as raised:
            await rig.call_as(stranger, name, **fields)
        with pytest.raises(errors.NoSuchBucket) as missing:
            await rig.call_as(stranger, name, bucket="nowhere", **{**fields, **_elsewhere(fields)})
        if error is errors.NoSuchBucket:
            assert raised.value.message == missing.value.message
    assert await rig.get("k") == b"secret"
    assert (await rig.call_as(stranger, "ListBuckets")).buckets == ()
    await rig.close()


def _elsewhere(fields: dict[str, Any]) -> dict[str, Any]:
    """A copy within the missing bucket."""
    if "source" not in fields:
        return {}
    return {"source": attrs.evolve(fields["source"], bucket=type(BUCKET)("nowhere"))}


@pytest.mark.parametrize(
    ("namespace", "sibling", "foreigner"),
    [
        (BucketNamespace.PROJECT, None, None),
        (BucketNamespace.ORGANISATION, errors.BucketAlreadyExists, None),
        (BucketNamespace.GLOBAL, errors.BucketAlreadyExists, errors.BucketAlreadyExists),
    ],
)
async def test_a_name_is_taken_within_its_namespace(
    namespace: BucketNamespace, sibling: type[errors.StorError] | None, foreigner: type[errors.StorError] | None
) -> None:
    """Beyond it everybody may have a bucket of that name, with objects of its own."""
    for organisation, refused in (("o", sibling), ("x", foreigner)):
        rig, stranger = await strangers(namespace, organisation)
        if refused is not None:
            with pytest.raises(refused):
                await rig.call_as(stranger, "CreateBucket")
        else:
            await rig.call_as(stranger, "CreateBucket")
            with pytest.raises(errors.NoSuchKey):
                await rig.call_as(stranger, "GetObject", key="k")
            await rig.call_as(stranger, "DeleteBucket")
        assert await rig.get("k") == b"secret"
        await rig.close()


async def test_the_expected_owner_is_compared(rig: Rig) -> None:
    """x-amz-expected-bucket-owner is the project's canonical id, or the request is denied."""
    owner = rig.caller.project.canonical_id
    await rig.call("HeadBucket", expected_bucket_owner=owner)
    await rig.put("k", b"x", expected_bucket_owner=owner)
    for name, fields in (
        ("HeadBucket", {}),
        ("GetObject", {"key": "k"}),
        ("DeleteObject", {"key": "k"}),
        ("CreateBucket", {"bucket": "n"}),
    ):
        with pytest.raises(errors.AccessDenied):
            await rig.call(name, expected_bucket_owner="somebody", **fields)
    assert await rig.get("k") == b"x"


async def test_a_viewer_changes_nothing(rig: Rig) -> None:
    """It reads and lists; every attempt to write is denied before the body comes."""
    viewer = await enter_caller(rig.metadata, project(), Role.VIEWER)
    await rig.put("k", b"x")
    result = await rig.call_as(viewer, "GetObject", key="k")
    assert b"".join([run async for run in result.body]) == b"x"
    assert [failure.code for failure in (await rig.call_as(viewer, "DeleteObjects", **REACHING["DeleteObjects"])).errors] == [
        "AccessDenied"
    ]
    for name in ("PutObject", "DeleteObject", "CopyObject", "UpdateObject", "UpdateBucket", "DeleteBucket"):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(viewer, name, **REACHING[name])
    assert await rig.get("k") == b"x"
