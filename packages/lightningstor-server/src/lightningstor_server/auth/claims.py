"""What a request says of its signer: the grammar of Signature Version 4's two places.

Law: to read is not to prove. A claim is well formed and nothing more; only `sigv4.verify` proves it.
No clock, no store, no key. Source: AWS, "Authenticating Requests (AWS Signature Version 4)" of the
S3 API reference; messages and codes as S3 answers them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import unquote

from attrs import field, frozen

from lightningstor_api.signature import ALGORITHM, TERMINATOR, Scope
from lightningstor_server.auth.canonical import PAYLOAD_HEADER, UNSIGNED, Payload, SignedRequest, payload_of, query_pairs
from lightningstor_types import errors

SKEW_SECONDS: Final = 15 * 60
EXPIRES_SECONDS_MAX: Final = 7 * 24 * 3600
SIGNING_KEYS_MAX: Final = 1024
"""How many derived keys are kept: one for each access key, day, region and service in use."""

SKEW: Final = timedelta(seconds=SKEW_SECONDS)
_TIMESTAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
# RFC 9110 section 5.6.7, IMF-fixdate; Python's email.utils writes its zone as -0000
_HTTP_DATE: Final = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|[+-]0000)", re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ACCESS_KEY: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}")
_SIGNED_HEADERS: Final = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+(?:;[a-z0-9!#$%&'*+\-.^_`|~]+)*")  # RFC 9110 section 5.6.2, lower case
_EXPIRES: Final = re.compile(r"-?[0-9]{1,12}")

_HEADER_FIELDS: Final = frozenset({"Credential", "SignedHeaders", "Signature"})
_QUERY_MARKS: Final = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_QUERY_FIELDS: Final = (*sorted(_QUERY_MARKS), "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires")
_V2_MARKS: Final = frozenset({"AWSAccessKeyId", "Signature"})

_USE_V4: Final = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
_ONE_MECHANISM: Final = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
    "Authorization header should be specified"
)
_NO_DATE: Final = "AWS authentication requires a valid Date or x-amz-date header"
HEADER_MALFORMED: Final = "The authorization header is malformed; "
QUERY_MALFORMED: Final = "Error parsing the X-Amz-Credential parameter; "


@frozen(kw_only=True)
class Claim:
    """What a request says of its signer. Nothing of it is proven."""

    access_key: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    timestamp: str
    amz_date: datetime
    expires: int | None
    """Seconds; None where the signature is in the Authorization header."""
    payload: Payload
    session_token: str | None = field(repr=False)

    @property
    def presigned(self) -> bool:
        """Whether the signature is in the query."""
        return self.expires is not None


def claim(request: SignedRequest, *, body_sha256: str | None = None) -> Claim | None:
    """What the request claims; None where it is anonymous.

    `body_sha256` stands in for a missing `x-amz-content-sha256` where the caller holds the whole
    body: only S3 asks for that header, clients of IAM and STS do not send it.

    Raises:
        InvalidArgument: two mechanisms at once, an unknown one, or an unknown payload value.
        InvalidRequest: Signature Version 2 or 4A, or the payload header is missing.
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError: by the place of the claim.
        AccessDenied: no date, or two that contradict each other.
        NotImplemented: a payload framing of Signature Version 4A.
    """
    authorization = request.headers.get("authorization")
    pairs = query_pairs(request.query) if request.query else []
    names = {name for name, _ in pairs}
    in_query = not names.isdisjoint(_QUERY_MARKS)
    version_2 = not names.isdisjoint(_V2_MARKS)
    if in_query + version_2 + (authorization is not None) > 1:
        raise errors.InvalidArgument(_ONE_MECHANISM, ArgumentName="Authorization")
    if version_2:
        raise errors.InvalidRequest(_USE_V4)
    if in_query:
        return _claim_query(request.headers, pairs)
    return None if authorization is None else _claim_header(request.headers, authorization, body_sha256)


def _claim_header(headers: Mapping[str, str], authorization: str, body_sha256: str | None) -> Claim:
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        _refuse_algorithm(algorithm)
    parts = rest.split(",")
    fields = dict([part.strip(" \t").partition("=")[::2] for part in parts])
    if len(parts) != len(_HEADER_FIELDS) or fields.keys() != _HEADER_FIELDS:
        raise errors.AuthorizationHeaderMalformed(f"{HEADER_MALFORMED}it needs Credential, SignedHeaders and Signature, each once.")
    timestamp, amz_date = _header_date(headers)
    spoken = headers.get(PAYLOAD_HEADER, body_sha256)
    if spoken is None:
        raise errors.InvalidRequest(f"Missing required header for this request: {PAYLOAD_HEADER}")
    access_key, scope = _credential(fields["Credential"], timestamp, errors.AuthorizationHeaderMalformed, HEADER_MALFORMED)
    return Claim(
        access_key=access_key,
        scope=scope,
        signed_headers=_signed_headers(fields["SignedHeaders"], errors.AuthorizationHeaderMalformed),
        signature=fields["Signature"],
        timestamp=timestamp,
        amz_date=amz_date,
        expires=None,
        payload=payload_of(spoken),
        session_token=headers.get("x-amz-security-token"),
    )


def _refuse_algorithm(algorithm: str) -> NoReturn:
    """Only the scheme is looked at: what follows may be somebody's password."""
    if algorithm == "AWS" or algorithm.startswith("AWS4-"):
        raise errors.InvalidRequest(_USE_V4)
    raise errors.InvalidArgument("Unsupported Authorization Type", ArgumentName="Authorization")


def _claim_query(headers: Mapping[str, str], pairs: list[tuple[str, str]]) -> Claim:
    wrong = errors.AuthorizationQueryParametersError
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields and name.startswith("X-Amz-"):
            raise wrong(f"The query parameter {name} was sent more than once.")
        fields[name] = unquote(value, encoding="latin-1")
    if not all(name in fields for name in _QUERY_FIELDS):
        raise wrong(f"Query-string authentication version 4 requires the {', '.join(_QUERY_FIELDS)} parameters.")
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise wrong(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    timestamp = fields["X-Amz-Date"]
    amz_date = _moment(timestamp)
    if amz_date is None:
        raise wrong("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if headers.get("x-amz-date", timestamp) != timestamp:
        raise errors.AccessDenied("The X-Amz-Date parameter and the x-amz-date header contradict each other.")
    spoken = _agreed(headers.get(PAYLOAD_HEADER), fields.get("X-Amz-Content-Sha256"), "X-Amz-Content-Sha256")
    access_key, scope = _credential(fields["X-Amz-Credential"], timestamp, wrong, QUERY_MALFORMED)
    return Claim(
        access_key=access_key,
        scope=scope,
        signed_headers=_signed_headers(fields["X-Amz-SignedHeaders"], wrong),
        signature=fields["X-Amz-Signature"],
        timestamp=timestamp,
        amz_date=amz_date,
        expires=_expires(fields["X-Amz-Expires"]),
        payload=UNSIGNED if spoken is None else payload_of(spoken),
        session_token=_agreed(headers.get("x-amz-security-token"), fields.get("X-Amz-Security-Token"), "X-Amz-Security-Token"),
    )


def _agreed(in_header: str | None, in_query: str | None, name: str) -> str | None:
    if in_header is not None and in_query is not None and in_header != in_query:
        raise errors.AuthorizationQueryParametersError(f"The {name} parameter and the header of that name contradict each other.")
    return in_header if in_query is None else in_query


def _expires(text: str) -> int:
    """How long it is good. 0 is a number like another, and has passed when it arrives; what no clock makes good is malformed."""
    wrong = errors.AuthorizationQueryParametersError
    if not _EXPIRES.fullmatch(text):
        raise wrong("X-Amz-Expires should be a number")
    seconds = int(text)
    if text.startswith("-"):
        raise wrong("X-Amz-Expires must be non-negative")
    if seconds > EXPIRES_SECONDS_MAX:
        raise wrong(f"X-Amz-Expires must be less than a week (in seconds); that is, at most {EXPIRES_SECONDS_MAX}")
    return seconds


def _credential(text: str, timestamp: str, wrong: type[errors.StorError], prefix: str) -> tuple[str, Scope]:
    """Access key and scope; the scope's day must be the timestamp's, or an old key would sign today."""
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not _ACCESS_KEY.fullmatch(parts[0]):  # noqa: PLR2004 - key, day, region, service, terminator
        raise wrong(f'{prefix}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/{TERMINATOR}".')
    access_key, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise wrong(f'{prefix}incorrect terminal. This endpoint uses "{TERMINATOR}".')
    if date != timestamp[:8]:
        raise wrong(f'{prefix}Invalid credential date. This date is not the same as X-Amz-Date: "{timestamp[:8]}".')
    return access_key, Scope(date, region, service)


@lru_cache(maxsize=SIGNING_KEYS_MAX)
def _signed_headers(text: str, wrong: type[errors.StorError]) -> tuple[str, ...]:
    names = text.split(";")
    if not _SIGNED_HEADERS.fullmatch(text) or names != sorted(set(names)):
        raise wrong("SignedHeaders must be header names in lower case, sorted, each once, with semicolons between them.")
    return tuple(names)


@lru_cache(maxsize=SIGNING_KEYS_MAX)  # one second brings many requests
def _moment(timestamp: str) -> datetime | None:
    """The moment of `YYYYMMDDTHHMMSSZ`; None where the text is not one."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        return datetime(
            int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8]),
            int(timestamp[9:11]), int(timestamp[11:13]), int(timestamp[13:15]), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:  # a month 13, a second 60
        return None


def _timestamp_of_date(text: str) -> str:
    """A `Date` header as a timestamp: RFC 9110's form, or the basic ISO form that AWS takes there too."""
    match = _HTTP_DATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return text
    day, month, year, hour, minute, second = match.groups()
    return f"{year}{_MONTHS.index(month) + 1:02}{day}T{hour}{minute}{second}Z"


def _header_date(headers: Mapping[str, str]) -> tuple[str, datetime]:
    """`x-amz-date`, else `Date`. One that contradicts the other by more than the skew is refused."""
    amz, plain = headers.get("x-amz-date"), headers.get("date")
    timestamp = amz if amz is not None else _timestamp_of_date(plain or "")
    moment = _moment(timestamp)
    if moment is None:
        raise errors.AccessDenied(_NO_DATE)
    if amz is not None and plain is not None:
        other = _moment(_timestamp_of_date(plain))
        if other is not None and abs(other - moment) > SKEW:
            raise errors.AccessDenied("The Date and x-amz-date headers contradict each other.")
    return timestamp, moment
