"""Who sent this, proven before anything else is looked at.

Law: one authenticator stands before routing, for every request; what it returns is an identity and
a body that verifies itself, never a flag that a handler could forget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from attrs import frozen

from lightningstor_server.auth.canonical import SignedRequest
from lightningstor_server.auth.post_policy import claim_form, refuse_unknown_form_key, verify_form
from lightningstor_server.auth.sigv4 import Signature, claim, refuse_unknown_key, verify
from lightningstor_server.s3.payload import Receive, RequestBody
from lightningstor_server.service.identity import Credential
from lightningstor_types.errors import InvalidToken
from lightningstor_types.tenants import Caller


class Identities(Protocol):
    """What knows the keys."""

    def find(self, access_key: str) -> Awaitable[Credential | None]:
        """The credential of a key; None for one that does not exist."""


@frozen(kw_only=True)
class Authenticated:
    """A caller, None for an anonymous one, and the body that came along."""

    caller: Caller | None
    body: RequestBody


class Authenticator:
    """Signature Version 4 over the embedded keys; forms by Version 2 too where the operator wants it."""

    def __init__(self, identities: Identities, *, region: str, clock: Callable[[], datetime], post_signature_v2: bool = False) -> None:
        self._identities = identities
        self._region = region
        self._clock = clock
        self._post_signature_v2 = post_signature_v2

    async def authenticate(self, request: SignedRequest, receive: Receive) -> Authenticated:
        """Verify the signature of a request.

        Raises:
            StorError: it claims an identity and does not prove it.
        """
        claimed = claim(request)
        if claimed is None:
            return Authenticated(caller=None, body=RequestBody.unsigned(receive, request.headers))
        if claimed.session_token is not None:
            raise InvalidToken
        credential = await self._identities.find(claimed.access_key)
        now = self._clock()
        if credential is None:
            refuse_unknown_key(claimed, request, now=now, region=self._region)
        signature: Signature = verify(claimed, request, credential.secret, now=now, region=self._region)
        return Authenticated(caller=credential.caller, body=RequestBody(receive, request.headers, signature.payload, signature))

    async def authenticate_form(self, fields: Mapping[str, str]) -> Caller | None:
        """Verify who signed the policy of a form, by its fields in lower case; None for an anonymous one.

        Raises:
            StorError: it claims an identity and does not prove it.
        """
        claimed = claim_form(fields, version_2=self._post_signature_v2)
        if claimed is None:
            return None
        credential = await self._identities.find(claimed.access_key)
        if credential is None:
            refuse_unknown_form_key(claimed, region=self._region)
        verify_form(claimed, credential.secret, region=self._region)
        return credential.caller
