"""Tags of buckets and objects.

Law: a tag is a key with a value, and a set has each key once; what a set may hold is decided in the
server. Source: AWS, "Categorizing your storage using tags".
"""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from lightningstor_types import wire


@frozen(kw_only=True)
class Tag:
    """A tag."""

    key: Annotated[str, wire.element("Key")]
    value: Annotated[str, wire.element("Value")]


@frozen(kw_only=True)
class TagSet:
    """Tags that travel together: in a document, or in the one header of a write as `key=value` with ampersands between them."""

    tags: Annotated[tuple[Tag, ...], wire.element("Tag")] = ()
