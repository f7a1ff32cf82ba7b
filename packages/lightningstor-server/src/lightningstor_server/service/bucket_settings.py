"""Read-only probes of bucket settings that cannot be set yet.

Law: as their types'. Setting one is `NotImplemented` from the router, which has no route for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_types import errors
from lightningstor_types.operations import bucket_settings as shapes

_EMPTY: Final[tuple[tuple[type[Any], str, str, type[Any]], ...]] = (
    # input, sub-resource, action, the document that says "not set"
    (shapes.GetBucketAccelerateConfiguration, "accelerate", "s3:GetAccelerateConfiguration", shapes.AccelerateConfiguration),
    (shapes.GetBucketRequestPayment, "requestPayment", "s3:GetBucketRequestPayment", shapes.RequestPaymentConfiguration),
    (shapes.GetBucketLogging, "logging", "s3:GetBucketLogging", shapes.BucketLoggingStatus),
    (shapes.GetBucketNotificationConfiguration, "notification", "s3:GetBucketNotification", shapes.NotificationConfiguration),
)
_ABSENT: Final[tuple[tuple[type[Any], str, str, type[errors.StorError]], ...]] = (
    # input, sub-resource, action, the error that says "not set"
    (shapes.GetBucketWebsite, "website", "s3:GetBucketWebsite", errors.NoSuchWebsiteConfiguration),
    (shapes.GetBucketReplication, "replication", "s3:GetReplicationConfiguration", errors.ReplicationConfigurationNotFoundError),
)


def _empty(document: type[Any]) -> Callable[[Context, Any], Awaitable[Any]]:
    async def rule(_: Context, __: object) -> object:
        return document()

    rule.__annotations__["return"] = document
    return rule


def _absent(error: type[errors.StorError]) -> Callable[[Context, Any], Awaitable[Any]]:
    async def rule(ctx: Context, _: object) -> shapes.Unset:
        raise error(BucketName=ctx.bucket.name)

    return rule


for _input, _query, _action, _document in _EMPTY:
    operation(_input, Route("GET", Target.BUCKET, query=(_query,)), action=_action)(_empty(_document))
for _input, _query, _action, _error in _ABSENT:
    operation(_input, Route("GET", Target.BUCKET, query=(_query,)), action=_action)(_absent(_error))
