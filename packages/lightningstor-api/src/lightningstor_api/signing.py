"""The credential of a call: Signature Version 4 in its metadata.

Law: the signature covers the method's full name, the moment and the request id; the messages are the
transport's to protect (UNSIGNED-PAYLOAD), so outside a trusted network a channel has TLS. The
canonical request stands in bucket_service.proto.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import field, frozen

from lightningstor_api.errors import REQUEST_ID
from lightningstor_api.signature import ALGORITHM, Scope, derive_signing_key, sign, string_to_sign

SERVICE: Final = "lightningstor"
"""The service in a credential's scope: a signature of an S3 request is none of a call."""
PAYLOAD: Final = "UNSIGNED-PAYLOAD"
SIGNED_HEADERS: Final = ("x-amz-date", REQUEST_ID)


def canonical_call(path: str, headers: dict[str, str]) -> bytes:
    """The canonical request of a call, over the metadata that `SIGNED_HEADERS` names."""
    lines = ("POST", path, "", *(f"{name}:{headers[name]}" for name in SIGNED_HEADERS), "", ";".join(SIGNED_HEADERS), PAYLOAD)
    return "\n".join(lines).encode("latin-1")


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


@frozen(kw_only=True)
class Signer:
    """An access key, and what it signs for."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    clock: Callable[[], datetime] = utc_now

    def metadata(self, path: str, request_id: str) -> tuple[tuple[str, str], ...]:
        """The metadata of one call of the method whose full name is `path`."""
        moment = self.clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = Scope(moment[:8], self.region, SERVICE)
        headers = {"x-amz-date": moment, REQUEST_ID: request_id}
        key = derive_signing_key(self.secret_key, *scope)
        signature = sign(key, string_to_sign(moment, str(scope), canonical_call(path, headers)))
        names = ";".join(SIGNED_HEADERS)
        authorization = f"{ALGORITHM} Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return (("authorization", authorization), *headers.items())
