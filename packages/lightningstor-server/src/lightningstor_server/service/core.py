"""The door: every operation of both fronts passes `Service.call`, and none goes round it.

Law: tenancy, authorisation, deadlines, metrics and the error boundary stand here, so that no rule
can forget them. What leaves is an output or a `StorError`; anything unexpected is logged with its
trace and leaves as `InternalError`, with nothing of its text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from attrs import frozen

from lightningstor_server.service.authorization import authorize
from lightningstor_server.service.caches import GenerationCache
from lightningstor_server.service.operation import I, O, Operation, Permission
from lightningstor_server.service.settings import OPERATION_DEADLINE_SECONDS, Settings
from lightningstor_server.stores import errors as stores
from lightningstor_server.stores.blobs.base import BlobStore
from lightningstor_server.stores.metadata.base import Metadata
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.tenants import BucketNamespace, Caller, Project

BUCKETS_CACHED_MAX: Final = 100_000
_log = structlog.get_logger("lightningstor.service")

_STORE_ERRORS: Final[dict[type[stores.StoreError], type[errors.StorError]]] = {
    stores.NoRoom: errors.InsufficientStorage,
    stores.ReadOnly: errors.ServiceUnavailable,
    stores.Corrupted: errors.CorruptedData,
    stores.Missing: errors.CorruptedData,
    stores.Unavailable: errors.ServiceUnavailable,
    stores.Broken: errors.ServiceUnavailable,
}

Observer = Callable[[str, str, float], None]
"""Told of every call: the operation, the S3 code (empty for success) and the seconds it took."""


def utc_now() -> datetime:
    """The clock that stamps objects."""
    return datetime.now(UTC)


@frozen(kw_only=True)
class Context:
    """What a rule has to work with."""

    caller: Caller
    request_id: str
    service: Service
    resolved: tuple[Bucket, ...]
    """The buckets of the operation's permissions, in their order; all of them authorised."""

    @property
    def bucket(self) -> Bucket:
        """The bucket that the request names."""
        return self.resolved[0]

    @property
    def metadata(self) -> Metadata:
        """The metadata store."""
        return self.service.metadata

    @property
    def blobs(self) -> BlobStore:
        """The blob store."""
        return self.service.blobs

    @property
    def settings(self) -> Settings:
        """The operator's decisions."""
        return self.service.settings

    def now(self) -> datetime:
        """The moment, for stamps; never for order."""
        return self.service.clock()


class Service:
    """All operations over one pair of stores."""

    def __init__(
        self,
        *,
        metadata: Metadata,
        blobs: BlobStore,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
        observer: Observer | None = None,
    ) -> None:
        self.metadata = metadata
        self.blobs = blobs
        self.settings = settings
        self.clock = clock
        self.broken = asyncio.Event()
        """Set when a store failed so that this process must end."""
        self._observe = observer
        self._buckets: GenerationCache[tuple[str, str], Bucket | None] = GenerationCache(metadata, BUCKETS_CACHED_MAX)

    async def call(self, operation: Operation[I, O], request: I, *, caller: Caller | None, request_id: str) -> O:
        """Carry out an operation for a caller.

        Raises:
            StorError: whatever went wrong, under its S3 code.
        """
        begun = time.perf_counter()
        code = ""
        try:
            context = await self._admit(operation, request, caller, request_id)
            if operation.streams:
                return await operation.rule(context, request)
            async with asyncio.timeout(OPERATION_DEADLINE_SECONDS):
                return await operation.rule(context, request)
        except Exception as error:
            known = self.known_error(error, operation.name, request_id)
            code = known.code
            raise known from error
        finally:
            if self._observe is not None:
                self._observe(operation.name, code, time.perf_counter() - begun)

    def known_error(self, error: Exception, where: str, request_id: str) -> errors.StorError:
        """What a caller is told of an exception, also of one that a body raises while it is sent."""
        if isinstance(error, errors.StorError):
            return error
        if isinstance(error, stores.Broken):
            self.broken.set()
        if isinstance(error, stores.StoreError):
            _log.error("store failed", operation=where, request_id=request_id, error=type(error).__name__, reason=str(error))
            return _STORE_ERRORS.get(type(error), errors.InternalError)()
        if isinstance(error, TimeoutError):
            _log.warning("deadline passed", operation=where, request_id=request_id)
            return errors.ServiceUnavailable()
        _log.error("unexpected", operation=where, request_id=request_id, exc_info=error)
        return errors.InternalError()

    async def _admit(self, operation: Operation[I, Any], request: I, caller: Caller | None, request_id: str) -> Context:
        """Resolve and authorise every resource the request touches."""
        if caller is None:
            raise errors.AccessDenied
        resolved: list[Bucket] = []
        names: dict[str | None, Bucket | None] = {}
        for permission in operation.permissions(request):
            if permission.bucket not in names:
                names[permission.bucket] = await self._resolve(operation, caller, permission)
            bucket = names[permission.bucket]
            authorize(caller, permission, bucket, self.settings.bucket_namespace)
            if bucket is not None:
                resolved.append(bucket)
        if isinstance(request, OnBucket) and request.expected_bucket_owner not in {None, caller.project.canonical_id}:
            raise errors.AccessDenied
        return Context(caller=caller, request_id=request_id, service=self, resolved=tuple(resolved))

    async def _resolve(self, operation: Operation[Any, Any], caller: Caller, permission: Permission) -> Bucket | None:
        """The bucket of a permission; None where there is none, or none yet."""
        name = permission.bucket
        if name is None or operation.input is CreateBucket:
            return None
        namespace = self.namespace(caller.project)
        bucket = await self._buckets.get((namespace, name), lambda tx: tx.buckets.find(namespace, name), generation=caller.generation)
        if bucket is None:
            raise errors.NoSuchBucket(BucketName=name)
        return bucket

    def namespace(self, project: Project) -> str:
        """Within what the names of a project's buckets are unique."""
        match self.settings.bucket_namespace:
            case BucketNamespace.PROJECT:
                return f"p{project.id}"
            case BucketNamespace.ORGANISATION:
                return f"o{project.organisation_id}"
            case BucketNamespace.GLOBAL:
                return "g"
