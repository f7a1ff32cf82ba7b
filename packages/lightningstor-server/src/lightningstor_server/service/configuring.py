"""How a setting of a bucket is stored.

Law: a setting is replaced in one transaction, judged by the bucket as it is there and not as it was
when the request was let in. It counts the store's generation on, so that every process goes by it
from the commit on.
"""

from __future__ import annotations

from collections.abc import Callable

from lightningstor_server.service.core import Context
from lightningstor_server.service.versions import next_revision
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_types.buckets import Bucket


async def configure(ctx: Context, name: str, value: object | None, check: Callable[[Bucket], None] | None = None) -> None:
    """Replace the setting of `BucketSettings`' field `name`; None takes it away. `check` raises where it may not be.

    Raises:
        NoSuchBucket: the bucket was deleted meanwhile.
        StorError: whatever `check` raises; nothing is stored.
    """

    async def work(tx: Transaction) -> None:
        _, bucket = await next_revision(tx, ctx.bucket)
        if check is not None:
            check(bucket)
        await tx.buckets.configure(bucket.id, name, value)
        await tx.configuration.bump()

    await ctx.metadata.commit(work)
