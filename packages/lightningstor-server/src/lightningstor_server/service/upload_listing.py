"""ListParts and ListMultipartUploads.

Law: as for listings of objects; uploads of one key are ordered by the revision that began them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.service.core import Context
from lightningstor_server.service.listing import BEFORE_ALL, Page, Position, limited, next_start, walk
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.uploads import ordinal_of, running_upload
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import StoredPart, Upload
from lightningstor_types.buckets import Bucket
from lightningstor_types.digests import NO_CHECKSUMS, Checksums
from lightningstor_types.objects import CommonPrefix
from lightningstor_types.operations.upload_listing import (
    ListMultipartUploads,
    ListMultipartUploadsResult,
    ListParts,
    ListPartsResult,
)
from lightningstor_types.owners import Owner
from lightningstor_types.uploads import MultipartUpload, Part


@operation(ListParts, Route("GET", Target.OBJECT, query=("uploadId",)), rpc="ObjectService.ListParts", action="s3:ListMultipartUploadParts")
async def list_parts(ctx: Context, request: ListParts) -> ListPartsResult:
    """A page of parts. AWS, ListParts."""
    limit = limited(request.max_parts, "max-parts")
    marker = max(0, request.part_number_marker)

    async def work(tx: Transaction) -> tuple[Upload, Sequence[StoredPart]]:
        upload = await running_upload(tx, ctx.bucket, request.key, request.upload_id)
        return upload, await tx.uploads.parts(upload.id, marker, limit + 1)

    upload, found = await ctx.metadata.read(work)
    shown = found[:limit]
    truncated = len(found) > limit > 0

    def checksums(part: StoredPart) -> Checksums:
        return part.checksums if upload.checksum_algorithm else NO_CHECKSUMS

    return ListPartsResult(
        bucket=request.bucket,
        key=request.key,
        upload_id=upload.id,
        initiator=upload.initiator or ctx.bucket.owner,
        owner=_owner(ctx.bucket, upload),
        storage_class=upload.storage_class,
        part_number_marker=marker,
        next_part_number_marker=shown[-1].number if shown else 0,
        max_parts=limit,
        truncated=truncated,
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
        parts=tuple(
            Part(number=part.number, last_modified=part.modified, etag=part.etag, size=part.size, checksums=checksums(part))
            for part in shown
        ),
    )


@operation(
    ListMultipartUploads,
    Route("GET", Target.BUCKET, query=("uploads",)),
    rpc="ObjectService.ListUploads",
    action="s3:ListBucketMultipartUploads",
)
async def list_multipart_uploads(ctx: Context, request: ListMultipartUploads) -> ListMultipartUploadsResult:
    """A page of uploads. AWS, ListMultipartUploads."""
    limit = limited(request.max_uploads, "max-uploads")
    prefix, delimiter = request.prefix or "", request.delimiter or ""
    key_marker, upload_marker = request.key_marker or "", request.upload_id_marker or ""
    # without a key marker the upload marker is ignored (AWS, ListMultipartUploads)
    resumes = bool(key_marker and upload_marker)

    # the marker's own key appears only where some of its uploads are still to come
    start = (key_marker.encode(), ordinal_of(upload_marker)) if resumes else (next_start(key_marker, prefix, delimiter), BEFORE_ALL)

    async def work(tx: Transaction) -> tuple[list[Upload], Page]:
        async def fetch(first: Position, before: bytes | None, rows: int) -> Sequence[Upload]:
            return await tx.uploads.page(ctx.bucket.id, first=first[0], after=first[1], before=before, limit=rows)

        return await walk(fetch, _behind, prefix=prefix, delimiter=delimiter, start=start, limit=limit)

    uploads, page = await ctx.metadata.read(work)
    last = uploads[-1] if uploads and page.last == uploads[-1].key else None
    return ListMultipartUploadsResult(
        bucket=request.bucket,
        key_marker=key_marker,
        upload_id_marker=upload_marker if key_marker else "",
        next_key_marker=page.last if page.truncated else None,
        next_upload_id_marker=last.id if page.truncated and last else None,
        prefix=prefix,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        max_uploads=limit,
        truncated=page.truncated,
        uploads=tuple(
            MultipartUpload(
                key=upload.key,
                upload_id=upload.id,
                initiator=upload.initiator or ctx.bucket.owner,
                owner=_owner(ctx.bucket, upload),
                storage_class=upload.storage_class,
                initiated=upload.initiated,
                checksum_algorithm=upload.checksum_algorithm,
                checksum_type=upload.checksum_type,
            )
            for upload in uploads
        ),
        common_prefixes=tuple(CommonPrefix(prefix=rolled) for rolled in page.prefixes),
    )


def _owner(bucket: Bucket, upload: Upload) -> Owner:
    """Who will own the object: the bucket's owner, unless the upload's list says otherwise."""
    return upload.acl.owner if upload.acl else bucket.owner


def _behind(upload: Upload) -> Position:
    return upload.key.encode(), upload.ordinal
