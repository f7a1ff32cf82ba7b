"""ListObjectVersions.

Law: as for listings of objects; the versions of one key come newest first, by their revisions.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor_server.service.core import Context
from lightningstor_server.service.listing import BEFORE_ALL, Page, Position, limited, next_start, walk
from lightningstor_server.service.operation import Route, Target, operation
from lightningstor_server.service.versions import find, revision_of
from lightningstor_server.stores.metadata.base import Transaction
from lightningstor_server.stores.metadata.values import Version
from lightningstor_types.errors import InvalidArgument
from lightningstor_types.names import NULL_VERSION
from lightningstor_types.objects import CommonPrefix, ListedDeleteMarker, ListedVersion
from lightningstor_types.operations.listing import ListObjectVersions, ListObjectVersionsResult
from lightningstor_types.owners import Owner


@operation(
    ListObjectVersions,
    Route("GET", Target.BUCKET, query=("versions",)),
    rpc="ObjectService.ListObjectVersions",
    action="s3:ListBucketVersions",
)
async def list_object_versions(ctx: Context, request: ListObjectVersions) -> ListObjectVersionsResult:
    """A page of versions; without versioning each object is its own null version. AWS, ListObjectVersions."""
    limit = limited(request.max_keys, "max-keys")
    prefix, delimiter = request.prefix or "", request.delimiter or ""
    if request.version_id_marker and not request.key_marker:
        raise InvalidArgument("A version-id marker cannot be specified without a key marker.", ArgumentName="version-id-marker")

    async def work(tx: Transaction) -> tuple[list[Version], Page]:
        async def fetch(first: Position, before: bytes | None, rows: int) -> Sequence[Version]:
            return await tx.history.page(ctx.bucket.id, first=first[0], older_than=-first[1], before=before, limit=rows)

        start = await _start(ctx, tx, request)
        return await walk(fetch, _behind, prefix=prefix, delimiter=delimiter, start=start, limit=limit)

    versions, page = await ctx.metadata.read(work)
    last = versions[-1] if versions and versions[-1].key == page.last else None
    listed = _listed(versions, request.key_marker if request.version_id_marker else None, ctx.bucket.owner)
    return ListObjectVersionsResult(
        name=request.bucket,
        prefix=prefix,
        key_marker=request.key_marker or "",
        version_id_marker=request.version_id_marker or "",
        next_key_marker=page.last if page.truncated else None,
        next_version_id_marker=(last.object.version_id or NULL_VERSION) if page.truncated and last else None,
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        truncated=page.truncated,
        versions=tuple([item for item in listed if isinstance(item, ListedVersion)]),
        delete_markers=tuple([item for item in listed if isinstance(item, ListedDeleteMarker)]),
        common_prefixes=tuple(CommonPrefix(prefix=rolled) for rolled in page.prefixes),
    )


async def _start(ctx: Context, tx: Transaction, request: ListObjectVersions) -> Position:
    """Where the page begins: behind the marker's version, or behind all versions of the marker's key.

    Raises:
        InvalidArgument: the marker is the id of no version.
    """
    key, prefix, marker = request.key_marker or "", request.prefix or "", request.version_id_marker
    if not marker:
        return next_start(key, prefix, request.delimiter or ""), BEFORE_ALL
    revision = revision_of(marker)
    if revision is None and marker != NULL_VERSION:
        raise InvalidArgument("Invalid version id specified", ArgumentName="version-id-marker", ArgumentValue=marker[:64])
    if revision is None:
        null = await find(tx, ctx.bucket, key, NULL_VERSION)
        # a client that deletes what it lists may have deleted the marker: to begin the key again repeats, and misses nothing
        return key.encode(), BEFORE_ALL if null is None else -null.object.revision
    return key.encode(), -revision


def _behind(version: Version) -> Position:
    return version.key.encode(), -version.object.revision


def _listed(versions: Sequence[Version], resumed: str | None, owner: Owner) -> list[ListedVersion | ListedDeleteMarker]:
    """The entries, each knowing whether it is its key's latest; of the key `resumed` the latest came before."""
    listed: list[ListedVersion | ListedDeleteMarker] = []
    seen = resumed
    for version in versions:
        item, latest = version.object, version.key != seen
        seen = version.key
        version_id = item.version_id or NULL_VERSION
        if version.delete_marker:
            listed.append(
                ListedDeleteMarker(key=item.key, version_id=version_id, latest=latest, last_modified=item.last_modified, owner=owner)
            )
            continue
        listed.append(
            ListedVersion(
                key=item.key,
                version_id=version_id,
                latest=latest,
                last_modified=item.last_modified,
                etag=item.etag,
                checksum_algorithms=tuple(algorithm.value for algorithm, _ in item.checksums.items()),
                checksum_type=item.checksum_type,
                size=item.size,
                storage_class=item.storage_class,
                owner=version.acl.owner if version.acl else owner,
            )
        )
    return listed
