"""What tests of bucket policies need: statements, a bucket to put them on, and who may then do what."""

from __future__ import annotations

import json
from typing import Any, Final

from lightningstor_types import errors
from lightningstor_types.names import ObjectKey
from lightningstor_types.settings import ObjectOwnership
from lightningstor_types.streams import BytesStream
from lightningstor_types.tenants import BucketNamespace, Caller
from unit.service.rig import BUCKET, Rig, make_rig

ARN: Final = f"arn:aws:s3:::{BUCKET}"


def statement(effect: str = "Allow", action: Any = "s3:GetObject", **more: Any) -> dict[str, Any]:
    """A statement, about everybody and everything unless it says otherwise."""
    return {"Effect": effect, "Principal": "*", "Action": action, "Resource": [ARN, f"{ARN}/*"]} | more


def policy(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


async def make_open_rig() -> Rig:
    """A service with global names; its bucket has the object `k` and blocks nothing."""
    made = await make_rig(
        bucket_namespace=BucketNamespace.GLOBAL, new_bucket_ownership=ObjectOwnership.OBJECT_WRITER, new_bucket_blocked=False
    )
    await made.call("CreateBucket")
    await made.put("k", b"x")
    return made


async def put(rig: Rig, *statements: dict[str, Any]) -> None:
    """Set the policy."""
    await rig.call("PutBucketPolicy", policy=policy(*statements))


async def may(rig: Rig, caller: Caller | None, name: str = "GetObject", **fields: Any) -> bool:
    """Whether an operation is not denied; an object that is missing is none of the policy's."""
    if name == "PutObject":
        fields = {"body": BytesStream(b"y")} | fields
    try:
        await rig.call_as(caller, name, **({"key": ObjectKey("k")} | fields if name.endswith("Object") else fields))
    except errors.AccessDenied:
        return False
    return True
