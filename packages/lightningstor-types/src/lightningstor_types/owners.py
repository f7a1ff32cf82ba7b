"""Who owns something, as S3 says it.

Law: the canonical owner is a project, never a principal.
"""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from lightningstor_types import wire


@frozen(kw_only=True)
class Owner:
    """The project that owns something, as S3 names a canonical user."""

    id: Annotated[str, wire.element("ID")]
    display_name: Annotated[str, wire.element("DisplayName")]


NOBODY = Owner(id="", display_name="")
"""Where the owner does not matter."""
