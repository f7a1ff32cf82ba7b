"""Whether a bucket's policy makes it public.

Law: as AWS means it: public until it is shown not to be. A statement that allows is not public where
it names its principals, or demands a fixed value of one of a few keys that say where a request comes
from. Fixed is what has neither wildcards nor policy variables; a condition that also holds where the
key is not there demands nothing. Source: AWS, "Blocking public access to your Amazon S3 storage", the
meaning of public.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lightningstor_server.auth.condition_values import network
from lightningstor_server.auth.conditions import ARN_PARTS, Condition
from lightningstor_server.auth.patterns import context_key, is_fixed, read_pattern
from lightningstor_server.auth.policy import Policy
from lightningstor_server.auth.policy_documents import Effect, Statement
from lightningstor_server.auth.principals import EVERY_CALLER, EVERYBODY

WIDEST_PREFIX_BITS: Final = {4: 8, 6: 32}
"""A range of addresses that is wider than this is everybody's, of each kind of address."""

_FEDERATED: Final = "Federated "
_SOURCE_IP: Final = context_key("aws:SourceIp")
_FIXING_OPERATORS: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})


def _fixed(value: str) -> bool:
    return "${" not in value and is_fixed(read_pattern(value, variables=False))


def _fixed_account(value: str) -> bool:
    # the name of an access point may have wildcards, the account of it may not
    parts = value.split(":", ARN_PARTS - 1)
    return len(parts) == ARN_PARTS and parts[ARN_PARTS - 2] != "" and _fixed(":".join(parts[:-1]))


_FIXING_KEYS: Final[dict[str, Callable[[str], bool]]] = {
    context_key("s3:DataAccessPointArn"): _fixed_account,
    **dict.fromkeys(
        map(
            context_key,
            (
                "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:SourceAccount", "aws:SourceArn", "aws:SourceOwner",
                "aws:SourceVpc", "aws:SourceVpce", "aws:userid", "s3:DataAccessPointAccount",
                "s3:x-amz-server-side-encryption-aws-kms-key-id",
            ),
        ),
        _fixed,
    ),
}  # fmt: skip


def is_public(policy: Policy) -> bool:
    """Whether a bucket's policy is public. One that cannot be read lets nobody in, and is not."""
    return policy.document is not None and any(_is_public(statement) for statement in policy.document.statements)


def _is_public(statement: Statement) -> bool:
    if statement.effect is not Effect.ALLOW:
        return False
    return not _names_principals(statement) and not any(_limits(condition) for condition in statement.conditions)


def _names_principals(statement: Statement) -> bool:
    if statement.principals is None or statement.not_principal:
        return False
    # whom an identity provider vouches for may be anybody: AWS's own example of a public policy
    return not any(name in {EVERYBODY, EVERY_CALLER} or name.startswith(_FEDERATED) for name in statement.principals)


def _limits(condition: Condition) -> bool:
    if condition.absent or condition.negated:
        return False
    if condition.operator == "IpAddress":
        return condition.key == _SOURCE_IP and all(_is_narrow(value) for value in condition.values)
    fixed = _FIXING_KEYS.get(condition.key)
    return fixed is not None and condition.operator in _FIXING_OPERATORS and all(fixed(value) for value in condition.values)


def _is_narrow(value: str) -> bool:
    read = network(value)
    return read.prefix_bits >= WIDEST_PREFIX_BITS[read.version]
