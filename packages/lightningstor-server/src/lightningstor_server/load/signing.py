"""S3 requests signed by a client.

Law: pure but for the clock that is given. `host`, `x-amz-*` and nothing else is signed, so that a
proxy may do with the rest what it likes; the body is not hashed (UNSIGNED-PAYLOAD), so that a
generator measures the server. The secret is in no representation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from lightningstor_api.signature import ALGORITHM, Scope, derive_signing_key, sign, string_to_sign, uri_encode
from lightningstor_api.signing import utc_now
from lightningstor_server.auth.canonical import PAYLOAD_HEADER, SignedRequest, canonical_request
from lightningstor_server.load.connection import Request

PAYLOAD: Final = "UNSIGNED-PAYLOAD"
KEYS_MAX: Final = 16
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_key = lru_cache(maxsize=KEYS_MAX)(derive_signing_key)


@frozen(kw_only=True)
class Credentials:
    """An access key, and the region that it signs for."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    clock: Callable[[], datetime] = utc_now


@frozen(kw_only=True)
class Signed:
    """A request that is ready to be sent, and what was signed of it."""

    request: Request
    canonical: str


def target_of(bucket: str = "", key: str = "", query: Sequence[tuple[str, str]] = ()) -> str:
    """The path, in path style, and the query of a request, encoded as S3 wants them."""
    path = f"/{bucket}" + (f"/{uri_encode(key, keep_slash=True)}" if key else "")
    pairs = "&".join([f"{uri_encode(name, keep_slash=False)}={uri_encode(value, keep_slash=False)}" for name, value in sorted(query)])
    return f"{path}?{pairs}" if pairs else path


def signed(
    credentials: Credentials,
    method: str,
    host: str,
    target: str,
    *,
    headers: Mapping[str, str] = NOTHING,
    unsigned: Mapping[str, str] = NOTHING,
    body: bytes | memoryview = b"",
) -> Signed:
    """Sign a request. `headers` are signed, with lower-case names; `unsigned` go along as they are."""
    moment = credentials.clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = Scope(moment[:8], credentials.region, "s3")
    covered = {"host": host, "x-amz-date": moment, PAYLOAD_HEADER: PAYLOAD, **headers}
    names = tuple(sorted(covered))
    path, _, query = target.partition("?")
    request = SignedRequest(method=method, path=path.encode("latin-1"), query=query.encode("latin-1"), headers=covered)
    canonical = canonical_request(request, signed=names, payload=PAYLOAD, presigned=False)
    text = string_to_sign(moment, str(scope), canonical)
    signature = sign(_key(credentials.secret_key, *scope), text)
    credential = f"{credentials.access_key}/{scope}"
    authorization = f"{ALGORITHM} Credential={credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    length = [] if not body and method in {"GET", "HEAD", "DELETE"} else [("content-length", str(len(body)))]
    sent = [*covered.items(), ("authorization", authorization), *length, *unsigned.items()]
    return Signed(request=Request(method=method, target=target, headers=sent, body=body), canonical=canonical.decode("latin-1"))
