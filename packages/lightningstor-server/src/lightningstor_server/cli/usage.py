"""`lightningstor quota` and `lightningstor usage`: what there is, and what there may be.

Law: as the group's. Sizes are read with the binary units of IEC 80000-13, and shown to the byte.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import click

from lightningstor_server.cli.connection import Remote, remote
from lightningstor_server.cli.tenants import of_project
from lightningstor_types.errors import InvalidBucketName
from lightningstor_types.names import BucketName
from lightningstor_types.operations.quotas import GetTenantUsage, SetQuota, TenantUsage
from lightningstor_types.tenants import Quota

UNITS: Final = ("", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
COUNT_MAX: Final = (1 << 63) - 1
_SIZE: Final = re.compile(r"([0-9]{1,19}) ?([KMGTPE]iB)?")
_QUOTA_EPILOG: Final = """\b
For example:
  lightningstor quota set --organisation acme --bytes 10TiB
  lightningstor quota set --organisation acme --project images --objects 1000000 --buckets 100
  lightningstor quota set --organisation acme --project images --bucket thumbs --bytes 50GiB
  lightningstor quota set --organisation acme                  # no limit any more"""
_USAGE_EPILOG: Final = """\b
For example:
  lightningstor usage                                          # of the project of your own key
  lightningstor usage --bucket thumbs
  lightningstor usage --organisation acme --json"""
_COLUMNS: Final = {"what": "WHAT", "used": "USED", "limit": "LIMIT"}


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(value)
        size = int(found[1]) << 10 * UNITS.index(found[2] or "") if found else COUNT_MAX + 1
        if size > COUNT_MAX:
            self.fail(f"{value!r}: expected bytes, or a number with {' '.join(UNITS[1:])}", param, ctx)
        return size


class _Bucket(click.ParamType[BucketName]):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BucketName:
        try:
            return BucketName.parse(value)
        except InvalidBucketName as error:
            self.fail(error.message, param, ctx)


_COUNT: Final = click.IntRange(0, COUNT_MAX)
_BUCKET: Final = _Bucket()


@attrs.frozen(kw_only=True)
class _Row:
    what: str
    used: int
    limit: int | None


def _show(server: Remote, found: TenantUsage) -> None:
    held, quota = found.usage, found.quota
    rows = [
        _Row(what="objects", used=held.objects, limit=quota.objects),
        _Row(what="bytes", used=held.bytes + held.uploads_bytes, limit=quota.bytes),
        _Row(what="buckets", used=held.buckets, limit=quota.buckets),
    ]
    if server.as_json:
        server.tell(found)
    else:
        server.show(rows, _COLUMNS)


@click.group(epilog=_QUOTA_EPILOG)
def quota() -> None:
    """The most that an organisation, a project or a bucket may hold. Setting it is for operators."""


@quota.command("set")
@of_project
@click.option("--bucket", type=_BUCKET, help="A bucket of the project.")
@click.option("--objects", type=_COUNT, metavar="COUNT", help="Objects; each version counts.  [default: no limit]")
@click.option("--bytes", "bytes_", type=_Size(), help="Of objects and running uploads; 10GiB and the like.  [default: no limit]")
@click.option("--buckets", type=_COUNT, metavar="COUNT", help="Buckets of a project or an organisation.  [default: no limit]")
@remote
def _set(server: Remote, objects: int | None, bytes_: int | None, buckets: int | None, **named: Any) -> None:
    """Set all of a quota; what is left out has no limit. What is held already stays."""
    server.ask(SetQuota(quota=Quota(objects=objects, bytes=bytes_, buckets=buckets), **named))


@quota.command("show")
@of_project
@click.option("--bucket", type=_BUCKET, help="A bucket of the project.")
@remote
def _shown(server: Remote, **named: Any) -> None:
    """A quota, and what is used of it."""
    (found,) = server.ask(GetTenantUsage(**named))
    _show(server, found)


@click.command(epilog=_USAGE_EPILOG)
@of_project
@click.option("--bucket", type=_BUCKET, help="A bucket of the project.")
@remote
def usage(server: Remote, **named: Any) -> None:
    """What an organisation, a project or a bucket holds, exact as of one moment, and its quota."""
    (found,) = server.ask(GetTenantUsage(**named))
    _show(server, found)
