"""Who owns and who asks.

Law: tenancy is organisation / project; an access key belongs to exactly one
(organisation, project, principal). A caller is the outcome of authentication, never of a header.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


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
class Project:
    """A project of an organisation: the owner of buckets, S3's canonical user."""

    id: int
    organisation_id: int
    organisation: str
    name: str
    display_name: str
    email: str
    canonical_id: str


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
