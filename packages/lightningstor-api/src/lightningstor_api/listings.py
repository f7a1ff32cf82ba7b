"""Listings as iterators over all of their pages.

Law: a page is asked for when the one before is used up; nothing is gathered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from lightningstor_api.calls import Calls
from lightningstor_types.names import BucketName
from lightningstor_types.objects import ListedObject
from lightningstor_types.operations.listing import ListObjectsV2


async def iter_objects(
    calls: Calls,
    /,
    bucket: str,
    *,
    prefix: str | None = None,
    start_after: str | None = None,
    deadline_seconds: float | None = None,
) -> AsyncIterator[ListedObject]:
    """The objects of a bucket whose keys begin with `prefix`, in the order of the keys' bytes; pages are asked for as they are needed.

    Raises:
        StorError: what the server refused.
    """
    token: str | None = None
    while True:
        request = ListObjectsV2(
            bucket=BucketName.parse(bucket),
            prefix=prefix,
            start_after=None if token else start_after,
            continuation_token=token,
        )
        page = await calls.call(request, deadline_seconds=deadline_seconds)
        for listed in page.objects:
            yield listed
        token = page.next_continuation_token
        if token is None:
            return
