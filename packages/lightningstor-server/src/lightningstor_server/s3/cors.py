"""What a page of another origin is told: preflights, and the headers of the answers themselves.

Law: pure. The first rule that matches counts. Nothing of a request is echoed that is not of its
grammar; an origin is echoed as it came, and `*` is said only by a rule that names it, without
credentials. Source: AWS, "Using cross-origin resource sharing (CORS)"; the Fetch standard, "HTTP
extensions" of the CORS protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

from lightningstor_server.s3.encode import Headers
from lightningstor_types.cors import CORS_METHODS, CorsRule
from lightningstor_types.errors import AccessForbidden, BadRequest

ORIGIN_HEADER: Final = "origin"
ORIGIN_MAX_CHARACTERS: Final = 1024
REQUESTED_HEADERS_MAX: Final = 128
_METHOD: Final = "access-control-request-method"
_HEADERS: Final = "access-control-request-headers"
_ORIGIN: Final = re.compile(r"[!-+\--~]+")
"""Visible ASCII without the comma: a list of origins is none (RFC 6454 section 7.1)."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VARY: Final = (b"vary", b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
"""An answer to one origin is not one to another (RFC 9110 section 12.5.5)."""


@frozen(kw_only=True)
class Asked:
    """What a browser asks for."""

    origin: str
    method: str
    headers: tuple[str, ...] = ()
    """The names of the headers that the page wants to send, in lower case."""


@frozen(kw_only=True)
class _Match:
    rule: CorsRule
    origin: str
    """As it is told: the page's own, or `*`."""


def preflight(headers: Mapping[str, str]) -> Asked:
    """What an OPTIONS request asks for.

    Raises:
        BadRequest: it lacks what makes it a preflight.
    """
    origin, method = headers.get(ORIGIN_HEADER), headers.get(_METHOD)
    if not origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    if method not in CORS_METHODS:
        raise BadRequest(f"Invalid Access-Control-Request-Method: {(method or 'null')[:64]}")
    names = tuple([name.strip(" \t").lower() for name in headers.get(_HEADERS, "").split(",") if name.strip(" \t")])
    return Asked(origin=origin, method=method, headers=names)


def allowed(rules: Iterable[CorsRule], asked: Asked, resource: str) -> Headers:
    """The headers that let a browser go on.

    Raises:
        AccessForbidden: there are no rules, or none of them matches.
    """
    rules = tuple(rules)
    details = {"Method": asked.method, "ResourceType": resource}
    if not rules:
        raise AccessForbidden("CORSResponse: CORS is not enabled for this bucket.", **details)
    match = _find(rules, asked)
    if match is None:
        raise AccessForbidden(
            "CORSResponse: This CORS request is not allowed: no rule of the bucket has this origin, method and headers.", **details
        )
    told = _of_origin(match)
    if asked.headers:
        told.append((b"access-control-allow-headers", ", ".join(asked.headers).encode()))
    if match.rule.max_age_seconds is not None:
        told.append((b"access-control-max-age", str(match.rule.max_age_seconds).encode()))
    return told


def readable(rules: Iterable[CorsRule], headers: Mapping[str, str], method: str) -> Headers:
    """The headers by which a page may read the answer to a request of its own; none where there are no rules.

    A request that says Access-Control-Request-Method is taken at its word, as a preflight is.
    """
    rules = tuple(rules)
    if not rules:
        return []
    match = _find(rules, Asked(origin=headers[ORIGIN_HEADER], method=headers.get(_METHOD, method)))
    return [_VARY] if match is None else _of_origin(match)


def _of_origin(match: _Match) -> Headers:
    rule = match.rule
    told: Headers = [
        (b"access-control-allow-origin", match.origin.encode()),
        (b"access-control-allow-methods", ", ".join(rule.allowed_methods).encode()),
    ]
    if rule.expose_headers:
        told.append((b"access-control-expose-headers", ", ".join(rule.expose_headers).encode()))
    if match.origin != "*":
        told.append((b"access-control-allow-credentials", b"true"))
    return [*told, _VARY]


def _find(rules: Iterable[CorsRule], asked: Asked) -> _Match | None:
    legible = len(asked.origin) <= ORIGIN_MAX_CHARACTERS and _ORIGIN.fullmatch(asked.origin)
    if not legible or len(asked.headers) > REQUESTED_HEADERS_MAX or not all(map(_TOKEN.fullmatch, asked.headers)):
        return None
    for rule in rules:
        pattern = next((pattern for pattern in rule.allowed_origins if _fits(pattern, asked.origin)), None)
        if pattern is None or asked.method not in rule.allowed_methods:
            continue
        patterns = [pattern.lower() for pattern in rule.allowed_headers]
        if all(any(_fits(pattern, name) for pattern in patterns) for name in asked.headers):
            return _Match(rule=rule, origin="*" if pattern == "*" else asked.origin)
    return None


def _fits(pattern: str, text: str) -> bool:
    before, star, behind = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(before) + len(behind) and text.startswith(before) and text.endswith(behind)
