"""The door: every operation of both fronts passes `Service.call`, and none goes round it.

Law: tenancy, authorisation, deadlines, metrics and the error boundary stand here, so that no rule
can forget them. What leaves is an output or a `StorError`; anything unexpected is logged with its
trace and leaves as `InternalError`, with nothing of its text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from attrs import frozen

from lightningstor_server.service.authorization import Verdict, decide, listing_permission, object_allows, refusal
from lightningstor_server.service.bearers import Bearers
from lightningstor_server.service.caches import GenerationCache
from lightningstor_server.service.grants import OBJECT_GRANTS
from lightningstor_server.service.identity import ROOT_PROJECT_SETTING, Sealer
from lightningstor_server.service.lock_clock import Reading, Uptime, read_uptime
from lightningstor_server.service.operation import I, O, Operation, Permission
from lightningstor_server.service.policy_decision import NO_FACTS, Inquiry, RequestFacts
from lightningstor_server.service.settings import OPERATION_DEADLINE_SECONDS, Settings
from lightningstor_server.stores import errors as stores
from lightningstor_server.stores.blobs.base import BlobStore
from lightningstor_server.stores.metadata.base import Metadata, Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.cors import CorsRule
from lightningstor_types.names import BucketName
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.operations.common import OnBucket
from lightningstor_types.owners import NOBODY, Owner
from lightningstor_types.tags import Tag
from lightningstor_types.tenants import BucketNamespace, Caller, Project, Role

BUCKETS_CACHED_MAX: Final = 100_000
ANONYMOUS: Final = Caller(
    project=Project(id=0, organisation_id=0, organisation="", name="", display_name="", email="", canonical_id=""),
    principal="",
    role=Role.VIEWER,
    access_key="",
)
"""What a rule finds in the place of the caller where nobody gave a credential. It owns nothing, and nothing is ever decided by it."""
_GLOBAL: Final = "g"
"""The namespace where there is but one."""
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
    inquiry: Inquiry
    resolved: tuple[Bucket, ...]
    """The buckets of the operation's permissions, in their order; all of them authorised."""
    by_object: tuple[tuple[Permission, Bucket], ...] = ()
    """The permissions that the lists of objects gave, and the buckets of those."""

    @property
    def anonymous(self) -> bool:
        """Whether nobody gave a credential."""
        return self.caller is ANONYMOUS

    @property
    def owner(self) -> Owner:
        """The caller's project, as S3 names the owner of something; nobody of an anonymous caller."""
        project = self.caller.project
        return NOBODY if self.anonymous else Owner(id=project.canonical_id, display_name=project.display_name)

    def allows(self, permission: Permission, tags: Sequence[Tag] | None = None) -> bool:
        """Whether the caller may do one thing of those that fail alone (`Permission.alone`), to one of the request's buckets.

        `tags` are those that the object has, where a policy may ask for them.
        """
        of = next(bucket for bucket in self.resolved if bucket.name == permission.bucket)
        return decide(self._asking, permission, of, self.inquiry.said(permission, of, tags)) is Verdict.ALLOWED

    def check_object(self, bucket: Bucket, version: Version) -> None:
        """Let the caller pass to a version that a rule found: it may be another one than the door saw.

        Raises:
            AccessDenied, NoSuchBucket: its own list gives the caller nothing, nor does a policy by its tags.
        """
        for permission, of in self.by_object:
            same = of.id == bucket.id and permission.key == version.key
            said = self.inquiry.said(permission, of, version.tags)
            if same and not object_allows(self._asking, permission, bucket, version.acl, said):
                raise refusal(self._asking, bucket, self.settings.bucket_namespace, named=self.inquiry.is_named(of))

    @property
    def _asking(self) -> Caller | None:
        return None if self.anonymous else self.caller

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

    def reading(self) -> Reading:
        """The moment and what no one can set, for what is locked."""
        return Reading(wall=self.now(), uptime=self.service.uptime())


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
        bearers: Bearers | None = None,
        sealer: Sealer | None = None,
        uptime: Callable[[], Uptime] = read_uptime,
    ) -> None:
        self.metadata = metadata
        self.blobs = blobs
        self.settings = settings
        self.clock = clock
        self.uptime = uptime
        self.broken = asyncio.Event()
        """Set when a store failed so that this process must end."""
        self.bearers = bearers
        """Bearer tokens; None where they may not be taken: in the clear, off the loopback."""
        self.sealer = sealer
        """Seals the secrets of new access keys; None where those would travel in the clear."""
        self._observe = observer
        self._buckets: GenerationCache[tuple[str, str], Bucket | None] = GenerationCache(metadata, BUCKETS_CACHED_MAX)
        self._anonymous: GenerationCache[str, Project | None] = GenerationCache(metadata, 1)

    async def call(
        self, operation: Operation[I, O], request: I, *, caller: Caller | None, request_id: str, facts: RequestFacts = NO_FACTS
    ) -> O:
        """Carry out an operation for a caller.

        Raises:
            StorError: whatever went wrong, under its S3 code.
        """
        begun = time.perf_counter()
        code = ""
        try:
            inquiry = Inquiry(caller=caller, request=request, facts=facts, clock=self.clock)
            context = await self._admit(operation, inquiry, request_id)
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

    async def cors_rules(self, bucket: BucketName, caller: Caller | None) -> tuple[CorsRule, ...]:
        """A bucket's rules for pages of other origins: all that is told without a permission, since a preflight has none.

        Raises:
            NoSuchBucket, AccessDenied: the name means no bucket to the caller.
        """
        async with asyncio.timeout(OPERATION_DEADLINE_SECONDS):
            found = await self._find_bucket(bucket, caller)
        named = Inquiry(caller=caller, request=None, facts=NO_FACTS, clock=self.clock).is_named(found)
        refused = refusal(caller, found, self.settings.bucket_namespace, named=named)
        if isinstance(refused, errors.NoSuchBucket):
            raise refused  # a hidden bucket has no rules either
        configuration = found.settings.cors
        return () if configuration is None else configuration.rules

    async def _admit(self, operation: Operation[Any, Any], inquiry: Inquiry, request_id: str) -> Context:
        """Resolve and authorise every resource the request touches."""
        request, caller = inquiry.request, inquiry.caller
        resolved: list[Bucket] = []
        by_object: list[tuple[Permission, Bucket]] = []
        names: dict[str | None, Bucket | None] = {}
        for permission in operation.permissions(request):
            if permission.bucket not in names:
                names[permission.bucket] = await self._resolve(operation, caller, permission)
            bucket = names[permission.bucket]
            verdict = decide(caller, permission, bucket, inquiry.said(permission, bucket))
            if verdict is Verdict.OBJECT and bucket is not None:
                by_object.append((permission, bucket))
                verdict = await self._ask_object(inquiry, permission, bucket)
            if verdict is not Verdict.ALLOWED:
                named = bucket is not None and inquiry.is_named(bucket)
                refused = refusal(caller, bucket, self.settings.bucket_namespace, named=named)
                if not permission.alone or isinstance(refused, errors.NoSuchBucket):
                    raise refused
            if bucket is not None:
                resolved.append(bucket)
        context = Context(
            caller=caller or ANONYMOUS,
            request_id=request_id,
            service=self,
            inquiry=inquiry,
            resolved=tuple(resolved),
            by_object=tuple(by_object),
        )
        if isinstance(request, OnBucket) and request.expected_bucket_owner is not None:
            owner = resolved[0].owner if resolved else context.owner
            if request.expected_bucket_owner != owner.id:
                raise errors.AccessDenied
        return context

    async def _ask_object(self, inquiry: Inquiry, permission: Permission, bucket: Bucket) -> Verdict:
        """What an object says by its list and its tags; that there is no object is told to whom the bucket may be listed."""
        # versions count by quotas, whose operations need this module first
        from lightningstor_server.service.versions import find  # noqa: PLC0415

        version = await self.metadata.read(lambda tx: find(tx, bucket, permission.key or "", permission.version))
        if version is None and permission.action not in OBJECT_GRANTS:
            # it was asked for its tags, of which a missing one has none; that may be written which is not there
            return decide(inquiry.caller, permission, bucket, inquiry.said(permission, bucket, ()))
        if version is None:
            listing = listing_permission(permission)
            return decide(inquiry.caller, listing, bucket, inquiry.said(listing, bucket))
        said = inquiry.said(permission, bucket, version.tags)
        return Verdict.ALLOWED if object_allows(inquiry.caller, permission, bucket, version.acl, said) else Verdict.DENIED

    async def _resolve(self, operation: Operation[Any, Any], caller: Caller | None, permission: Permission) -> Bucket | None:
        """The bucket of a permission; None where there is none, or none yet."""
        name = permission.bucket
        if name is None or operation.input is CreateBucket:
            return None
        return await self._find_bucket(name, caller)

    async def _find_bucket(self, name: str, caller: Caller | None) -> Bucket:
        """The bucket that a name means to a caller. Nothing is authorised by that."""
        namespace = self.namespace(caller.project) if caller is not None else await self._anonymous_namespace()
        generation = None if caller is None else caller.generation
        bucket = await self._buckets.get((namespace, name), lambda tx: tx.buckets.find(namespace, name), generation=generation)
        if bucket is None:
            raise errors.NoSuchBucket(BucketName=name)
        return bucket

    async def _anonymous_namespace(self) -> str:
        """Within what a request without a credential finds buckets.

        Raises:
            AccessDenied: there is no such project, hence nothing for it to find.
        """
        if self.settings.bucket_namespace is BucketNamespace.GLOBAL:
            return _GLOBAL
        project = await self._anonymous.get("", self._anonymous_project)
        if project is None:
            raise errors.AccessDenied
        return self.namespace(project)

    async def _anonymous_project(self, tx: Transaction) -> Project | None:
        given = self.settings.anonymous_project
        if given is not None:
            organisation, _, name = given.partition("/")
            return await tx.tenants.project(organisation, name)
        root = await tx.configuration.get(ROOT_PROJECT_SETTING)
        return None if root is None else await tx.tenants.project_by_id(int(root))

    def namespace(self, project: Project) -> str:
        """Within what the names of a project's buckets are unique."""
        match self.settings.bucket_namespace:
            case BucketNamespace.PROJECT:
                return f"p{project.id}"
            case BucketNamespace.ORGANISATION:
                return f"o{project.organisation_id}"
            case BucketNamespace.GLOBAL:
                return _GLOBAL
