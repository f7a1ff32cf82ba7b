"""The CORS configuration of a bucket.

Law: what a browser is told later is checked here, when it is set: nothing is kept that could end a
header or begin another one. It takes effect with the next request. Source: AWS, PutBucketCors, and
"Using cross-origin resource sharing (CORS)", elements of a CORS configuration.
"""

from __future__ import annotations

import re
from typing import Final

from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_types import errors
from lightningstor_types.cors import CORS_METHODS, CORS_RULES_MAX, CorsConfiguration, CorsRule
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.cors import DeleteBucketCors, GetBucketCors, PutBucketCors

CORS_MAX_CHARACTERS: Final = 64 << 10
"""Of all texts of a configuration (AWS: a configuration has at most 64 KB). Every worker keeps it in memory."""
RULE_ID_MAX_CHARACTERS: Final = 255
MAX_AGE_MAX_SECONDS: Final = 2**31 - 1
_ORIGIN: Final = re.compile(r"[!-+\--~]+")
"""Visible ASCII without the comma, which no serialised origin has (RFC 6454 section 6.2)."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
"""RFC 9110 section 5.6.2."""


@operation(PutBucketCors, Route("PUT", Target.BUCKET, query=("cors",)), action="s3:PutBucketCORS")
async def put_bucket_cors(ctx: Context, request: PutBucketCors) -> Empty:
    """Replace the rules. AWS, PutBucketCors."""
    check(request.rules)
    await configure(ctx, "cors", CorsConfiguration(rules=request.rules))
    return Empty()


@operation(DeleteBucketCors, Route("DELETE", Target.BUCKET, query=("cors",), status=204), action="s3:PutBucketCORS")
async def delete_bucket_cors(ctx: Context, _: DeleteBucketCors) -> Empty:
    """Take the rules away; that there are none is no error. AWS, DeleteBucketCors, which asks for the permission to put them."""
    await configure(ctx, "cors", None)
    return Empty()


@operation(GetBucketCors, Route("GET", Target.BUCKET, query=("cors",)), action="s3:GetBucketCORS")
async def get_bucket_cors(ctx: Context, _: GetBucketCors) -> CorsConfiguration:
    """Read the rules. AWS, GetBucketCors."""
    configuration = ctx.bucket.settings.cors
    if configuration is None:
        raise errors.NoSuchCORSConfiguration(BucketName=ctx.bucket.name)
    return configuration


def check(rules: tuple[CorsRule, ...]) -> None:
    """Refuse rules that S3 does not take, or that no browser could be told.

    Raises:
        MalformedXML: there is no rule, or one without an origin or a method.
        InvalidRequest: there are too many, or one is not of the grammar.
    """
    if not rules or any(not rule.allowed_origins or not rule.allowed_methods for rule in rules):
        raise errors.MalformedXML
    if len(rules) > CORS_RULES_MAX:
        raise errors.InvalidRequest(f"The number of CORS rules should not exceed allowed limit of {CORS_RULES_MAX} rules.")
    if sum(len(text) for rule in rules for text in _texts(rule)) > CORS_MAX_CHARACTERS:
        raise errors.InvalidRequest(f"The CORS configuration has more than {CORS_MAX_CHARACTERS} characters.")
    for rule in rules:
        _check(rule)


def _texts(rule: CorsRule) -> tuple[str, ...]:
    return (*rule.allowed_headers, *rule.allowed_methods, *rule.allowed_origins, *rule.expose_headers, rule.id or "")


def _check(rule: CorsRule) -> None:
    wrong = next((method for method in rule.allowed_methods if method not in CORS_METHODS), None)
    if wrong is not None:
        raise errors.InvalidRequest(f"Found unsupported HTTP method in CORS config. Unsupported method is {wrong[:64]}")
    for name, texts, grammar in (("AllowedOrigin", rule.allowed_origins, _ORIGIN), ("AllowedHeader", rule.allowed_headers, _TOKEN)):
        for text in texts:
            if text.count("*") > 1:
                raise errors.InvalidRequest(f'{name} "{text[:64]}" can not have more than one wildcard.')
            if not grammar.fullmatch(text):
                raise errors.InvalidRequest(f'{name} "{text[:64]}" is not valid.')
    wrong = next((text for text in rule.expose_headers if "*" in text or not _TOKEN.fullmatch(text)), None)
    if wrong is not None:
        raise errors.InvalidRequest(f'ExposeHeader "{wrong[:64]}" is not valid: it names one header, without a wildcard.')
    if rule.id is not None and len(rule.id) > RULE_ID_MAX_CHARACTERS:
        raise errors.InvalidRequest(f"The ID of a CORS rule has at most {RULE_ID_MAX_CHARACTERS} characters.")
    if rule.max_age_seconds is not None and not 0 <= rule.max_age_seconds <= MAX_AGE_MAX_SECONDS:
        raise errors.InvalidRequest(f"MaxAgeSeconds is a number of seconds from 0 to {MAX_AGE_MAX_SECONDS}.")
