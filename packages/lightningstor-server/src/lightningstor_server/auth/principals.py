"""Who asks, in the words that policies have for it.

Law: pure. A principal is the set of the names that it answers to, and a policy's list of principals is
a set of names too, so to match is to intersect. How projects, users and roles are named stands here
and nowhere else: a project is what AWS calls an account. Source: AWS, "AWS JSON policy elements:
Principal" and "IAM identifiers".

    arn:aws:iam::<account>:root                              everybody of the project
    arn:aws:iam::<account>:user/<path and name>
    arn:aws:iam::<account>:role/<path and name>              and every session of the role
    arn:aws:sts::<account>:assumed-role/<name>/<session>
    arn:aws:sts::<account>:federated-user/<name>

The account is whatever a project is called by: its number in twelve digits, with which ARNs are
written, and its other names, which are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

from attrs import field, frozen

ACCOUNT_DIGITS: Final = 12
EVERYBODY: Final = "*"
"""In the place of all principals: every caller, anonymous ones and services too."""
EVERY_CALLER: Final = "AWS *"
"""Every caller but services: what the kind `AWS` has for `*`."""
KINDS: Final = ("AWS", "CanonicalUser", "Federated", "Service")

_ACCOUNT: Final = r"[^:*?\s]{1,256}"
_NAME: Final = r"[^:*?\s][^:*?]{0,511}"
_ARN: Final = re.compile(
    rf"arn:aws:(?:iam::(?:{_ACCOUNT})?:(?:root|(?:user|role)/{_NAME})|sts::(?:{_ACCOUNT})?:(?:assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME}))"
)
_FORMS: Final = {
    "AWS": re.compile(rf"\*|{_ACCOUNT}|{_ARN.pattern}"),
    "CanonicalUser": re.compile(_NAME),
    "Federated": re.compile(r"[^*?\s]{1,1024}"),
    "Service": re.compile(r"[a-z0-9.-]{1,256}"),
}


def account_id(project: int) -> str:
    """The number by which a project is an account."""
    return str(project).zfill(ACCOUNT_DIGITS)


def iam_arn(account: str, resource: str) -> str:
    """The ARN of `root`, `user/...` or `role/...`."""
    return f"arn:aws:iam::{account}:{resource}"


def sts_arn(account: str, resource: str) -> str:
    """The ARN of `assumed-role/...` or `federated-user/...`."""
    return f"arn:aws:sts::{account}:{resource}"


def read_principal(kind: str, text: str) -> str:
    """The name that an entry of a policy's list of principals stands for.

    Raises:
        ValueError: there is no such kind, or no principal is called so. A wildcard stands for everybody or for nothing.
    """
    form = _FORMS.get(kind)
    if form is None:
        raise ValueError(f"a principal is of the kind {', '.join(KINDS)}")
    if not form.fullmatch(text):
        raise ValueError("no principal is called so")
    if kind == "AWS" and text != EVERYBODY and not text.startswith("arn:"):
        return f"AWS {iam_arn(text, 'root')}"
    return f"{kind} {text}"


@frozen
class Principal:
    """Who asks."""

    names: frozenset[str] = field(repr=False)
    own: frozenset[str] = field(repr=False)
    """The names without those of the whole account. To allow an account is to leave it to the account's
    own policies whom of its people it allows (AWS, "AWS account principals")."""
    arn: str = ""
    """Empty of an anonymous caller and of a service."""
    account: str = ""

    @classmethod
    def of_account(
        cls,
        accounts: Iterable[str],
        resource: str,
        *,
        canonical_id: str,
        role: str | None = None,
        unique_ids: Iterable[str] = (),
    ) -> Self:
        """Somebody of a project.

        Args:
            accounts: what the project is called by, first what its ARNs are written with.
            resource: `root`, `user/...`, `assumed-role/.../...` or `federated-user/...`.
            canonical_id: the project's.
            role: `role/...`, of a session of it.
            unique_ids: by which it may be named too.
        """
        called = tuple(accounts)
        write = sts_arn if resource.startswith(("assumed-role/", "federated-user/")) else iam_arn
        arns = [write(account, resource) for account in called]
        arns += [iam_arn(account, role) for account in called if role is not None]
        arns += [iam_arn(unique, "root") for unique in unique_ids]  # as `read_principal` has it of a bare word
        own = frozenset({EVERYBODY, EVERY_CALLER, *(f"AWS {arn}" for arn in arns)})
        whole = frozenset({f"CanonicalUser {canonical_id}", *(f"AWS {iam_arn(account, 'root')}" for account in called)})
        return cls(own | whole, own | whole if resource == "root" else own, arns[0], called[0])

    @classmethod
    def of_service(cls, name: str) -> Self:
        """A part of this server that acts for itself, as the delivery of access logs does."""
        return cls.of_names(EVERYBODY, f"Service {name}")

    @classmethod
    def of_provider(cls, provider: str) -> Self:
        """Somebody whom an identity provider vouches for, and who has no project yet: he asks to assume a role."""
        return cls.of_names(EVERYBODY, f"Federated {provider}")

    @classmethod
    def of_names(cls, *names: str) -> Self:
        """Somebody of no account."""
        return cls(frozenset(names), frozenset(names))


ANONYMOUS: Final = Principal.of_names(EVERYBODY, EVERY_CALLER)
