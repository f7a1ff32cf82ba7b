"""Input and output of the operation that issues bearer tokens (gRPC).

Law: as the package's.
"""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen


@frozen(kw_only=True)
class IssueToken:
    """Give the caller, who signed this call, a bearer token of its access key."""


@frozen(kw_only=True)
class IssueTokenResult:
    """A token that stands for the access key in the metadata of later calls."""

    token: str = field(repr=False)
    """Opaque; sent as `authorization: Bearer <token>`."""
    expires: datetime
    """By the server's clock."""
    lifetime_seconds: int
    """From the moment of issue, for clients whose clock is off."""
