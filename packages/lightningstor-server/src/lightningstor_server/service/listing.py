"""ListObjects and ListObjectsV2.

Law: order is the order of the keys' bytes. A delimiter is sought past: once a prefix is rolled up,
the keys below it are skipped, never walked. A page costs what it shows, however large the bucket.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import attrs
from attrs import define, field

from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types.errors import InvalidArgument
from lightningstor_types.names import LIST_MAX_KEYS
from lightningstor_types.objects import CommonPrefix, ListedObject
from lightningstor_types.operations.listing import (
    ListObjects,
    ListObjectsResult,
    ListObjectsV2,
    ListObjectsV2Result,
)
from lightningstor_types.owners import Owner

FIRST_LOOK_ROWS: Final = 64
"""With a delimiter: how many rows are looked at first; doubled while no prefix rolls up."""


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


E = TypeVar("E", bound=_Keyed)
Position = tuple[bytes, int]
"""A key, and behind which of its entries a walk goes on; keys of objects have one entry alone."""
BEFORE_ALL: Final = -1 << 62
Fetch = Callable[[Position, bytes | None, int], Awaitable[Sequence[E]]]
"""Entries from a position on with a key < before, at most so many."""


def after(key: bytes) -> bytes:
    """The least key that follows `key`."""
    return key + b"\0"


def past(prefix: bytes) -> bytes | None:
    """The least key that follows every key with this prefix; None where there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


@define
class Page:
    """What a walk has gathered beside its entries, and whether more follows."""

    entries: int = 0
    prefixes: list[str] = field(factory=list)
    last: str = ""
    """The last key or prefix of the page, from which the next one goes on."""
    truncated: bool = False

    def __len__(self) -> int:
        return self.entries + len(self.prefixes)


async def walk(
    fetch: Fetch[E], following: Callable[[E], Position], *, prefix: str, delimiter: str, start: Position, limit: int
) -> tuple[list[E], Page]:
    """Gather one page from `start` on; `following` is the position behind an entry.

    Returns the entries, and the page with its prefixes.
    """
    page = Page()
    entries: list[E] = []
    wanted, stop = prefix.encode(), past(prefix.encode())
    position: Position | None = max(start, (wanted, BEFORE_ALL))
    rows = limit + 1 if not delimiter else min(limit + 1, FIRST_LOOK_ROWS)
    while position is not None and limit > 0:
        found = await fetch(position, stop, rows)
        ended, position = len(found) < rows, None
        for entry in found:
            rolled = _rolled_up(entry.key, prefix, delimiter)
            if len(page) == limit:
                page.truncated = True
                return entries, page
            if rolled is None:
                entries.append(entry)
                page.entries += 1
                page.last = entry.key
                continue
            page.prefixes.append(rolled)
            page.last = rolled
            skipped = past(rolled.encode())
            position = None if skipped is None else (skipped, BEFORE_ALL)
            rows = min(limit + 1, FIRST_LOOK_ROWS)
            break
        else:
            if not ended:
                position, rows = following(found[-1]), min(2 * rows, LIST_MAX_KEYS)
    return entries, page


def _rolled_up(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that a key belongs to, if the delimiter rolls it up."""
    if not delimiter:
        return None
    end = key.find(delimiter, len(prefix))
    return None if end < 0 else key[: end + len(delimiter)]


def _behind(item: ListedObject) -> Position:
    return after(item.key.encode()), BEFORE_ALL


def next_start(marker: str, prefix: str, delimiter: str) -> bytes:
    """Where a page goes on that ended with `marker`: past the whole prefix where it is a rolled-up one."""
    if not marker:
        return b""
    if marker.startswith(prefix) and _rolled_up(marker, prefix, delimiter) == marker:
        return past(marker.encode()) or after(marker.encode())
    return after(marker.encode())


def limited(asked: int, name: str) -> int:
    """The page size that was asked for, at most 1,000.

    Raises:
        InvalidArgument: it is negative.
    """
    if asked < 0:
        raise InvalidArgument("Argument maxKeys must be an integer between 0 and 2147483647", ArgumentName=name, ArgumentValue=str(asked))
    return min(asked, LIST_MAX_KEYS)


async def _objects(ctx: Context, prefix: str, delimiter: str, start: bytes, limit: int) -> tuple[list[ListedObject], Page]:
    """A page of the bucket, as one snapshot has it."""

    async def work(tx: Transaction) -> tuple[list[ListedObject], Page]:
        async def fetch(first: Position, before: bytes | None, rows: int) -> Sequence[ListedObject]:
            return await tx.versions.page(ctx.bucket.id, first=first[0], before=before, limit=rows)

        return await walk(fetch, _behind, prefix=prefix, delimiter=delimiter, start=(start, BEFORE_ALL), limit=limit)

    return await ctx.metadata.read(work)


@operation(ListObjects, Route("GET", Target.BUCKET), action="s3:ListBucket")
async def list_objects(ctx: Context, request: ListObjects) -> ListObjectsResult:
    """A page by marker. AWS, ListObjects."""
    limit = limited(request.max_keys, "max-keys")
    prefix, delimiter, marker = request.prefix or "", request.delimiter or "", request.marker or ""
    items, page = await _objects(ctx, prefix, delimiter, next_start(marker, prefix, delimiter), limit)
    return ListObjectsResult(
        name=request.bucket,
        prefix=prefix,
        marker=marker,
        # without a delimiter the caller goes on from the last key it was shown (AWS, ListObjects)
        next_marker=page.last if page.truncated and delimiter else None,
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        truncated=page.truncated,
        objects=tuple([_owned(item, ctx.bucket.owner) for item in items]),
        common_prefixes=tuple(CommonPrefix(prefix=rolled) for rolled in page.prefixes),
    )


@operation(ListObjectsV2, Route("GET", Target.BUCKET, query=("list-type=2",)), rpc="ObjectService.ListObjects", action="s3:ListBucket")
async def list_objects_v2(ctx: Context, request: ListObjectsV2) -> ListObjectsV2Result:
    """A page by token. AWS, ListObjectsV2."""
    limit = limited(request.max_keys, "max-keys")
    prefix, delimiter = request.prefix or "", request.delimiter or ""
    marker = request.start_after or ""
    if request.continuation_token is not None:
        marker = _token_key(request.continuation_token)
    items, page = await _objects(ctx, prefix, delimiter, next_start(marker, prefix, delimiter), limit)
    owner = ctx.bucket.owner if request.fetch_owner else None
    return ListObjectsV2Result(
        name=request.bucket,
        prefix=prefix,
        start_after=request.start_after,
        continuation_token=request.continuation_token,
        next_continuation_token=_token(page.last) if page.truncated else None,
        key_count=len(page),
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        truncated=page.truncated,
        objects=tuple([_owned(item, owner) for item in items]),
        common_prefixes=tuple(CommonPrefix(prefix=rolled) for rolled in page.prefixes),
    )


def _owned(item: ListedObject, owner: Owner | None) -> ListedObject:
    """The object with its owner, or without where owners were not asked for."""
    if owner is None:
        return item if item.owner is None else attrs.evolve(item, owner=None)
    return item if item.owner else attrs.evolve(item, owner=owner)


def _token(key: str) -> str:
    """An opaque token; keys may hold what a header or an XML document cannot."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def _token_key(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidArgument("The continuation token provided is incorrect", ArgumentName="continuation-token") from None
