"""Who owns and who asks.

Law: tenancy is organisation / project; an access key belongs to exactly one
(organisation, project, principal). A caller is the outcome of authentication, never of a header.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from attrs import frozen

from lightningstor_types.errors import InvalidArgument


class Role(StrEnum):
    """The managed policies that are attached to principals."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class BucketNamespace(StrEnum):
    """Within what a bucket's name is unique; fixed when the store is initialised."""

    PROJECT = "project"
    ORGANISATION = "organisation"
    GLOBAL = "global"


@frozen(kw_only=True)
class Organisation:
    """An organisation: projects that share a quota and, if the deployment says so, the names of buckets."""

    id: int
    name: str
    created: datetime | None = None


@frozen(kw_only=True)
class Project:
    """A project of an organisation: the owner of buckets, S3's canonical user."""

    id: int
    organisation_id: int
    organisation: str
    name: str
    display_name: str
    email: str
    canonical_id: str
    created: datetime | None = None
    """None where the store is older than this was kept."""


@frozen(kw_only=True)
class Principal:
    """Somebody of a project, with the role that all of its access keys have."""

    name: str
    role: Role
    created: datetime | None = None


@frozen(kw_only=True)
class Quota:
    """The most that a bucket, a project or an organisation may hold; None is no limit."""

    objects: int | None = None
    """Each version counts, delete markers do not."""
    bytes: int | None = None
    """Those of objects, and of the parts of uploads that are not yet complete."""
    buckets: int | None = None
    """Of a project or an organisation."""


NO_QUOTA = Quota()


@frozen(kw_only=True)
class Caller:
    """An authenticated principal in its project. `None` stands for an anonymous caller."""

    project: Project
    principal: str
    role: Role
    access_key: str
    operator: bool = False
    """Whether it is an owner of the root project, who administers the whole deployment."""
    generation: int = 0
    """The generation of the store's configuration in which this was found to be so."""


class _Formed(str):
    """A text of one form. An error that refuses one never repeats it: it may be a secret."""

    __slots__ = ()
    PATTERN: ClassVar[str]
    WANTED: ClassVar[str]
    """What is admitted, to follow the word `expected`."""
    WHAT: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidArgument: it has another form.
        """
        if not re.fullmatch(cls.PATTERN, text):
            raise InvalidArgument(f"{cls.WHAT} has {cls.WANTED}.")
        return cls(text)


class AccessKeyId(_Formed):
    """The id of an access key. It stands in `Credential=<id>/<date>/...` and in lists that commas part."""

    __slots__ = ()
    PATTERN = r"[A-Za-z0-9._+-]{3,128}"
    WANTED = "3 to 128 of A-Z a-z 0-9 . _ + -"
    WHAT = "An access key id"


class SecretKey(_Formed):
    """The secret of an access key."""

    __slots__ = ()
    PATTERN = r"[!-~]{8,256}"
    WANTED = "8 to 256 printable ASCII characters without space"
    WHAT = "A secret key"


class CanonicalId(_Formed):
    """What S3 names a project by."""

    __slots__ = ()
    PATTERN = r"[A-Za-z0-9._:$-]{1,128}"
    WANTED = "1 to 128 of A-Z a-z 0-9 . _ : $ -"
    WHAT = "A canonical id"


class TenantText(_Formed):
    """A display name, or an address of electronic mail."""

    __slots__ = ()
    PATTERN = r"[^\x00-\x1f\x7f]{0,256}"
    WANTED = "at most 256 characters, no control characters"
    WHAT = "A display name or email address"
