"""What a bucket says to pages of other origins.

Law: a configuration is kept and told as it was given; what a rule matches is decided in the server.
Source: AWS, "Using cross-origin resource sharing (CORS)", elements of a CORS configuration.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from attrs import frozen

from lightningstor_types import wire

CORS_RULES_MAX: Final = 100
CORS_METHODS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
"""The methods that a rule may allow."""


@frozen(kw_only=True)
class CorsRule:
    """Which origins may send what, and what of the answer their pages may read."""

    id: Annotated[str | None, wire.element("ID")] = None
    allowed_headers: Annotated[tuple[str, ...], wire.element("AllowedHeader")] = ()
    """With at most one `*` each; compared without regard to case."""
    allowed_methods: Annotated[tuple[str, ...], wire.element("AllowedMethod")] = ()
    allowed_origins: Annotated[tuple[str, ...], wire.element("AllowedOrigin")] = ()
    """With at most one `*` each; compared as they are."""
    expose_headers: Annotated[tuple[str, ...], wire.element("ExposeHeader")] = ()
    max_age_seconds: Annotated[int | None, wire.element("MaxAgeSeconds")] = None


@frozen(kw_only=True)
class CorsConfiguration:
    """The rules, of which the first that matches counts."""

    document: ClassVar[str] = "CORSConfiguration"
    rules: Annotated[tuple[CorsRule, ...], wire.element("CORSRule")] = ()
