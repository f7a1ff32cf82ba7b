"""What a bucket's policy says of a request.

Law: the evaluator is pure, and this module gives it what it asks for: who asks, by the names that
policies have for callers, and the keys of the request. A key is there only if the request itself
says so and the operation heeds it, so that nothing is claimed that has no effect. A bucket without a
policy costs nothing here. Source: AWS, "Actions, resources, and condition keys for Amazon S3", and
"AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from attrs import define, field, frozen

from lightningstor_server.auth import policy as evaluator
from lightningstor_server.auth.patterns import Variable, context_key
from lightningstor_server.auth.policy import NEUTRAL, Decision, Policy, evaluate, stored_policy
from lightningstor_server.auth.policy_documents import BUCKET_ARN, Effect, Kind, Statement
from lightningstor_server.auth.principals import ANONYMOUS, Principal, account_id
from lightningstor_server.auth.public_policies import is_public
from lightningstor_server.service.operation import Permission
from lightningstor_server.service.policy_keys import given_keys
from lightningstor_types.buckets import Bucket
from lightningstor_types.tags import Tag
from lightningstor_types.tenants import Caller

EXISTING_TAG: Final = context_key("s3:ExistingObjectTag/")
TAG_ACTIONS: Final = frozenset(
    f"s3:{verb}Object{version}{what}"
    for verb, whats in (("Get", ("", "Acl", "Tagging", "Attributes")), ("Put", ("Acl", "Tagging")), ("Delete", ("Tagging",)))
    for what in whats
    for version in ("", "Version")
)
"""Of which S3 knows the tags that the object has (AWS, "Actions, resources, and condition keys for Amazon S3")."""
_PREFIX: Final = context_key("s3:prefix")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_DENIED: Final = Decision(evaluator.Verdict.DENY)


@frozen(kw_only=True)
class RequestFacts:
    """How a request came, as far as a front knows it."""

    source_ip: str | None = None
    """The address at the other end of the connection; what proxies write into headers is not believed."""
    secure: bool | None = None
    """Whether it came by TLS."""
    auth_type: str | None = None
    """As AWS's `s3:authType`: REST-HEADER, REST-QUERY-STRING or POST."""
    headers: Mapping[str, str] = field(default=_NOTHING, repr=False)
    """By names in lower case."""
    query: Mapping[str, str] = field(default=_NOTHING, repr=False)


NO_FACTS: Final = RequestFacts()
_KEYS: Final = {
    name: context_key(name)
    for name in (
        "aws:CurrentTime", "aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:PrincipalType",
        "aws:Referer", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport", "aws:SourceIp", "aws:UserAgent", "aws:userid",
        "aws:username", "s3:authType", "s3:ResourceAccount", "s3:signatureversion", "s3:VersionId",
    )
}  # fmt: skip
_SIGNATURE: Final = "AWS4-HMAC-SHA256"


def policy_of(bucket: Bucket) -> Policy | None:
    """The bucket's policy, compiled; None where it has none."""
    kept = bucket.settings.policy
    return None if kept is None else stored_policy(kept.text, Kind.BUCKET, bucket.name)


def has_public_policy(bucket: Bucket) -> bool:
    """Whether the bucket's policy makes it public."""
    policy = policy_of(bucket)
    return policy is not None and is_public(policy)


@define(kw_only=True, eq=False)
class Inquiry:
    """A request, ready for policies to be asked about it."""

    caller: Caller | None
    """None of an anonymous one."""
    request: Any = field(repr=False)
    facts: RequestFacts
    clock: Callable[[], datetime]
    _base: dict[str, tuple[str, ...]] | None = field(default=None, init=False, repr=False)
    _principal: Principal | None = field(default=None, init=False, repr=False)

    def said(self, permission: Permission, bucket: Bucket | None, tags: Sequence[Tag] | None = None) -> Decision | None:
        """What the bucket's policy says; None where that depends on the tags of an object that was not looked at."""
        if bucket is None or bucket.settings.policy is None:
            return NEUTRAL
        policy = stored_policy(bucket.settings.policy.text, Kind.BUCKET, bucket.name)
        if tags is None and permission.action in TAG_ACTIONS and not permission.fresh and _asks_for_tags(policy, permission.action):
            return None
        return self.ask(policy, permission, bucket, tags)

    def ask(self, policy: Policy, permission: Permission, bucket: Bucket, tags: Sequence[Tag] | None = None) -> Decision:
        """What a policy says as the bucket's."""
        block = bucket.settings.public_access_block
        same = self.caller is not None and self.caller.project.id == bucket.project_id
        if not same and block is not None and block.restrict_public_buckets and is_public(policy):
            # AWS, "Blocking public access", RestrictPublicBuckets: it blocks all that is not of the bucket owner's account
            return _DENIED
        resource = BUCKET_ARN + bucket.name + (f"/{permission.key}" if permission.key is not None else "")
        asked = evaluator.Request(
            principal=self.principal,
            action=permission.action,
            resource=resource,
            context=self._context(permission, bucket, tags),
        )
        return evaluate((policy,), asked)

    def is_named(self, bucket: Bucket) -> bool:
        """Whether the bucket's policy allows the caller anything: then the bucket is no secret to it."""
        policy = policy_of(bucket)
        if policy is None or policy.document is None:
            return False
        return any(
            statement.effect is Effect.ALLOW and not (statement.principals or frozenset()).isdisjoint(self.principal.names)
            for statement in policy.document.statements
        )

    @property
    def principal(self) -> Principal:
        """Who asks, by all of its names."""
        if self._principal is None:
            self._principal = ANONYMOUS if self.caller is None else _principal_of(self.caller)
        return self._principal

    def _context(self, permission: Permission, bucket: Bucket, tags: Sequence[Tag] | None) -> dict[str, tuple[str, ...]]:
        if self._base is None:
            self._base = self._request_keys()
        account = (account_id(bucket.project_id),)
        context = self._base | {
            _KEYS["aws:ResourceAccount"]: account,
            _KEYS["s3:ResourceAccount"]: account,
            _KEYS["aws:RequestedRegion"]: (bucket.region,),
        }
        if permission.version is not None:
            context[_KEYS["s3:VersionId"]] = (permission.version,)
        if permission.listed is not None:
            context[_PREFIX] = (permission.listed,)
        for tag in tags or ():
            context[EXISTING_TAG + tag.key] = (tag.value,)
        return context

    def _request_keys(self) -> dict[str, tuple[str, ...]]:
        now, facts = self.clock(), self.facts
        found = {
            "aws:CurrentTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:EpochTime": str(int(now.timestamp())),
            "aws:PrincipalIsAWSService": "false",
            "aws:PrincipalType": "Anonymous" if self.caller is None else "User",
            "aws:SourceIp": facts.source_ip,
            "aws:SecureTransport": None if facts.secure is None else str(facts.secure).lower(),
            "aws:UserAgent": facts.headers.get("user-agent"),
            "aws:Referer": facts.headers.get("referer"),
        }
        if self.caller is not None:
            found |= {
                "aws:PrincipalAccount": self.principal.account,
                "aws:PrincipalArn": self.principal.arn,
                "aws:userid": f"{self.principal.account}:{self.caller.principal}",
                "aws:username": self.caller.principal,
                "s3:authType": facts.auth_type,
                "s3:signatureversion": None if facts.auth_type is None else _SIGNATURE,
            }
        keys = {_KEYS[name]: (value,) for name, value in found.items() if value is not None}
        return keys | given_keys(self.request, facts.headers, facts.query, now)


def _principal_of(caller: Caller) -> Principal:
    """A project is the account of its number, and is called by its canonical id and by `organisation/project` too.

    By its own name alone it is not: another organisation may have a project of that name, and no name
    may be what another project is called by.
    """
    project = caller.project
    number = account_id(project.id)
    others = (project.canonical_id, f"{project.organisation}/{project.name}")
    accounts = (number, *(other for other in others if not other.isdigit()))
    return Principal.of_account(accounts, f"user/{caller.principal}", canonical_id=project.canonical_id)


@lru_cache(evaluator.POLICIES_MAX)
def _asks_for_tags(policy: Policy, action: str) -> bool:
    """Whether it depends on the tags of an object what the policy says of an action."""
    if policy.document is None:
        return False
    denying, allowing = policy.about(action.lower())
    return any(_names_tags(policy.document.statements[statement.index]) for statement in (*denying, *allowing))


def _names_tags(statement: Statement) -> bool:
    """Whether it depends on what tags an object has, by a key or by a policy variable."""
    for condition in statement.conditions:
        if condition.key.startswith(EXISTING_TAG) or any("${" in value for value in condition.values):
            return True
    return any(
        isinstance(token, Variable) and token.key.startswith(EXISTING_TAG) for pattern in statement.resources or () for token in pattern
    )
