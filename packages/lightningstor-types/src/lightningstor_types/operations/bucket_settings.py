"""Inputs and outputs of the read-only probes of bucket settings.

Law: a setting that is not set is told as AWS tells it, an empty document or its own `NoSuch...`
error, never 501: Terraform and others ask for all of them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from attrs import frozen

from lightningstor_types import wire
from lightningstor_types.operations.common import OnBucket


@frozen(kw_only=True)
class GetBucketAccelerateConfiguration(OnBucket):
    """Transfer acceleration."""


@frozen(kw_only=True)
class AccelerateConfiguration:
    """Without a status: never set."""

    document: ClassVar[str] = "AccelerateConfiguration"
    status: Annotated[str | None, wire.element("Status")] = None


@frozen(kw_only=True)
class GetBucketRequestPayment(OnBucket):
    """Who pays."""


@frozen(kw_only=True)
class RequestPaymentConfiguration:
    """The owner pays."""

    document: ClassVar[str] = "RequestPaymentConfiguration"
    payer: Annotated[str, wire.element("Payer")] = "BucketOwner"


@frozen(kw_only=True)
class GetBucketLogging(OnBucket):
    """Where access logs go."""


@frozen(kw_only=True)
class BucketLoggingStatus:
    """Empty: nowhere."""

    document: ClassVar[str] = "BucketLoggingStatus"


@frozen(kw_only=True)
class GetBucketNotificationConfiguration(OnBucket):
    """Where events go."""


@frozen(kw_only=True)
class NotificationConfiguration:
    """Empty: nowhere."""

    document: ClassVar[str] = "NotificationConfiguration"


@frozen(kw_only=True)
class GetBucketWebsite(OnBucket):
    """The bucket's website."""


@frozen(kw_only=True)
class GetBucketReplication(OnBucket):
    """The bucket's replication rules."""


@frozen(kw_only=True)
class Unset:
    """Never given: reading the setting raises the error that says it is not set."""
