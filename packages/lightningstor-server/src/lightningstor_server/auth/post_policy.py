"""Forms of browsers: the policy that somebody signed, whether it was signed, and whether a form meets it.

Law: pure. To read is not to prove: `claim_form` reads, `verify_form` proves, and only then is the
policy looked at. Names of fields and operators are compared without regard to case, values as they
are, and each field of the form has to be named by a condition. Neither the secret nor an expected
signature gets into an error. Source: AWS, "Creating a POST policy" and "Authenticating requests in
browser-based uploads using POST" (Version 4), "Browser-based uploads using POST" (Version 2).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NoReturn

from attrs import field, frozen

from lightningstor_api.signature import ALGORITHM, TERMINATOR, Scope, derive_signing_key, sign
from lightningstor_server.auth.strict_json import Number, load
from lightningstor_types import errors
from lightningstor_types.digests import ChecksumAlgorithm

POLICY_MAX_BYTES: Final = 20 << 10
POLICY_DEPTH_MAX: Final = 4
"""Object, list of conditions, condition, and one to be refused by its type and not by its depth."""
_CHECKSUM: Final = "x-amz-checksum-"
EXEMPT: Final = frozenset(
    {"x-amz-signature", "signature", "awsaccesskeyid", "policy", "file", "bucket"}
    | {_CHECKSUM + known for known in (*(algorithm.field for algorithm in ChecksumAlgorithm), "algorithm")}
)
"""Fields that no condition has to name. A checksum can but refuse the upload; the bucket is the address's, which has to be named."""
EXEMPT_PREFIX: Final = "x-ignore-"

_V4: Final = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2: Final = ("policy", "awsaccesskeyid", "signature")
_V4_MARKS: Final = frozenset(_V4[1:])
_V2_MARKS: Final = frozenset(_V2[1:])
_TIMESTAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_EXPIRATION: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_ACCESS_KEY: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}")
_SIZE: Final = re.compile(r"[0-9]{1,18}")
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_OPERATORS: Final = frozenset({"eq", "starts-with"})
_RANGE: Final = "content-length-range"
_TRIPLE: Final = 3
_LISTS: Final = frozenset({"content-type"})
"""Of these `starts-with` is about each member (AWS, "Creating a POST policy", condition matching)."""
_USE_V4: Final = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."


@frozen(kw_only=True)
class FormClaim:
    """What a form says of who signed its policy. Nothing of it is proven."""

    access_key: str
    policy: str = field(repr=False)
    signature: str = field(repr=False)
    scope: Scope | None
    """None where it is of Version 2."""


def claim_form(fields: Mapping[str, str], *, version_2: bool) -> FormClaim | None:
    """What the fields (named in lower case) claim; None where the form is anonymous.

    Raises:
        InvalidArgument: a field is missing, or there are those of both versions.
        InvalidRequest: it is of Version 2, which is not taken here, or of another algorithm.
        AuthorizationQueryParametersError: the credential or the date is malformed.
        InvalidAccessKeyId: what it names is no access key.
        InvalidToken: it has a session token, of which none is given here.
    """
    old, new = not _V2_MARKS.isdisjoint(fields), not _V4_MARKS.isdisjoint(fields)
    if not (old or new or "policy" in fields):
        return None
    if old and new:
        raise errors.InvalidArgument("Only one auth mechanism allowed; the form has fields of two.", ArgumentName="signature")
    if old and not version_2:
        raise errors.InvalidRequest(_USE_V4)
    for name in _V2 if old else _V4:
        if not fields.get(name):
            message = f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
            raise errors.InvalidArgument(message, ArgumentName=name, ArgumentValue="")
    if "x-amz-security-token" in fields:
        raise errors.InvalidToken
    if old:
        if not _ACCESS_KEY.fullmatch(fields["awsaccesskeyid"]):
            raise errors.InvalidAccessKeyId
        return FormClaim(access_key=fields["awsaccesskeyid"], policy=fields["policy"], signature=fields["signature"], scope=None)
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise errors.InvalidRequest(_USE_V4)
    access_key, scope = _credential(fields["x-amz-credential"], fields["x-amz-date"])
    return FormClaim(access_key=access_key, policy=fields["policy"], signature=fields["x-amz-signature"], scope=scope)


def _credential(text: str, timestamp: str) -> tuple[str, Scope]:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not _ACCESS_KEY.fullmatch(parts[0]) or parts[4] != TERMINATOR or not _TIMESTAMP.fullmatch(timestamp):  # noqa: PLR2004 - see the message
        raise errors.AuthorizationQueryParametersError(
            f"X-Amz-Credential is <access key>/YYYYMMDD/REGION/SERVICE/{TERMINATOR}, and X-Amz-Date YYYYMMDDTHHMMSSZ."
        )
    if parts[1] != timestamp[:8]:
        raise errors.AuthorizationQueryParametersError("The days of X-Amz-Credential and X-Amz-Date are not the same.")
    return parts[0], Scope(parts[1], parts[2], parts[3])


def verify_form(claim: FormClaim, secret: str, *, region: str) -> None:
    """Prove that the secret signed the policy.

    Raises:
        AuthorizationQueryParametersError: it is signed for another region or service.
        SignatureDoesNotMatch: it is not.
    """
    if claim.scope is None:
        expected = base64.b64encode(hmac.digest(secret.encode(), claim.policy.encode(), "sha1")).decode()
    else:
        if claim.scope.region != region:
            raise errors.AuthorizationQueryParametersError(
                f"Error parsing the X-Amz-Credential parameter; the region '{claim.scope.region[:64]}' is wrong; expecting '{region}'",
                Region=region,
            )
        if claim.scope.service != "s3":
            raise errors.AuthorizationQueryParametersError('Error parsing the X-Amz-Credential parameter; the service is not "s3".')
        expected = sign(derive_signing_key(secret, *claim.scope), claim.policy)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise errors.SignatureDoesNotMatch(AWSAccessKeyId=claim.access_key, SignatureProvided=claim.signature)


def refuse_unknown_form_key(claim: FormClaim, *, region: str) -> NoReturn:
    """Answer a claim whose access key does not exist, in the time of one that does.

    Raises:
        InvalidAccessKeyId: always, unless the claim is wrong before the secret is asked.
    """
    with suppress(errors.SignatureDoesNotMatch):
        verify_form(claim, "no-such-access-key", region=region)
    raise errors.InvalidAccessKeyId(AWSAccessKeyId=claim.access_key)


@frozen(kw_only=True)
class Condition:
    """What a field has to be, or begin with."""

    operator: str
    name: str
    """In lower case, without the dollar sign."""
    value: str

    def holds(self, given: str | None) -> bool:
        """Whether a field's value meets it; one that is not there meets none."""
        if given is None:
            return False
        if self.operator == "eq":
            return given == self.value
        parts = [part.strip(" \t") for part in given.split(",")] if self.name in _LISTS else [given]
        return all(part.startswith(self.value) for part in parts)


@frozen(kw_only=True)
class PostPolicy:
    """Until when, and which forms."""

    expiration: datetime
    conditions: tuple[Condition, ...]
    size_min_bytes: int = 0
    size_max_bytes: int | None = None

    def check(self, fields: Mapping[str, str], *, bucket: str, now: datetime) -> None:
        """Compare a form, whose fields are named in lower case, and the bucket that it was sent to.

        Raises:
            AccessDenied: it does not meet the policy.
        """
        if now >= self.expiration:
            raise errors.AccessDenied("Invalid according to Policy: Policy expired.")
        given = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if not condition.holds(given.get(condition.name)):
                told = f'["{condition.operator}", "${condition.name}", "{condition.value}"]'
                raise errors.AccessDenied(f"Invalid according to Policy: Policy Condition failed: {told}")
        named = {condition.name for condition in self.conditions}
        extra = [name for name in fields if name not in named | EXEMPT and not name.startswith(EXEMPT_PREFIX)]
        if "bucket" not in named:
            extra.append("bucket")
        if extra:
            raise errors.AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def read_policy(text: str) -> PostPolicy:
    """The policy of a form's field.

    Raises:
        InvalidPolicyDocument: it is no base64 of a policy document.
    """
    try:
        content = base64.b64decode(_SPACE.sub("", text), validate=True).decode()
        document = load(content, bytes_max=POLICY_MAX_BYTES, depth_max=POLICY_DEPTH_MAX)
    except (binascii.Error, ValueError):
        raise errors.InvalidPolicyDocument("Invalid Policy: Invalid JSON.") from None
    # these two names are compared as they are, unlike those of fields
    if not isinstance(document, dict) or document.keys() != {"expiration", "conditions"}:
        raise errors.InvalidPolicyDocument("Invalid Policy: it has an expiration and conditions, and nothing else.")
    entries = document["conditions"]
    if not isinstance(entries, list):
        raise errors.InvalidPolicyDocument("Invalid Policy: Conditions are a list.")
    conditions, low, high = [], 0, None
    for entry in entries:
        if isinstance(entry, list) and entry and isinstance(entry[0], str) and entry[0].lower() == _RANGE:
            first, last = _read_range(entry)
            low, high = max(low, first), last if high is None else min(high, last)
        else:
            conditions.append(_read_condition(entry))
    return PostPolicy(
        expiration=_read_expiration(document["expiration"]), conditions=tuple(conditions), size_min_bytes=low, size_max_bytes=high
    )


def _read_expiration(value: Any) -> datetime:
    if isinstance(value, str) and not isinstance(value, Number) and _EXPIRATION.fullmatch(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    raise errors.InvalidPolicyDocument("Invalid Policy: Invalid 'expiration' value; it is YYYY-MM-DDTHH:MM:SSZ.")


def _read_range(entry: list[Any]) -> tuple[int, int]:
    sizes = [int(size) for size in entry[1:] if isinstance(size, str) and _SIZE.fullmatch(size)]
    if len(entry) != _TRIPLE or len(sizes) != _TRIPLE - 1 or sizes[0] > sizes[1]:
        raise errors.InvalidPolicyDocument(f"Invalid Policy: {_RANGE} has two sizes in bytes, the smaller one first.")
    return sizes[0], sizes[1]


def _read_condition(entry: Any) -> Condition:
    if isinstance(entry, dict) and len(entry) == 1:
        [(name, value)] = entry.items()
        parts = ["eq", f"${name}", value]
    else:
        parts = entry
    if not isinstance(parts, list) or len(parts) != _TRIPLE or not all(_is_text(part) for part in parts):
        raise errors.InvalidPolicyDocument(
            "Invalid Policy: Invalid condition: it is one name with its value, or an operator, name and value."
        )
    operator, name, value = parts
    if operator.lower() not in _OPERATORS or not name.startswith("$") or name == "$":
        raise errors.InvalidPolicyDocument(
            "Invalid Policy: Invalid condition: the operator is eq or starts-with, and the name begins with $."
        )
    return Condition(operator=operator.lower(), name=name[1:].lower(), value=value)


def _is_text(part: Any) -> bool:
    return isinstance(part, str) and not isinstance(part, Number)
