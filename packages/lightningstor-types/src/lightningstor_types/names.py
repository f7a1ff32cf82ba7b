"""Names and their limits, validated at the border.

Law: a value of one of these types has been validated; nothing behind the border checks again.
Sources: AWS, "General purpose bucket naming rules"; "Naming Amazon S3 objects"; "Multipart upload
limits". A key is bytes: no normalisation, no meaning in `.`, `..` or `//`.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final, Self

from lightningstor_types import errors

BUCKET_NAME_MAX_CHARACTERS: Final = 63
KEY_MAX_BYTES: Final = 1024
USER_METADATA_MAX_BYTES: Final = 2048
PART_NUMBER_MAX: Final = 10_000
PART_MIN_BYTES: Final = 5 << 20
PART_MAX_BYTES: Final = 5 << 30
PUT_MAX_BYTES: Final = 5 << 30
LIST_MAX_KEYS: Final = 1000
LIST_MAX_BUCKETS: Final = 10_000
DELETE_MAX_KEYS: Final = 1000

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_FORBIDDEN_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_FORBIDDEN_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_PART_NUMBER = re.compile(r"[0-9]{1,5}")
_UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,1024}")


class BucketName(str):
    """A bucket's name, by AWS's rules for general purpose buckets."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidBucketName: it breaks one of the rules.
        """
        if (
            not _BUCKET.fullmatch(text)
            or ".." in text
            or ".-" in text
            or "-." in text
            or _IPV4.fullmatch(text)
            or text.startswith(_FORBIDDEN_PREFIXES)
            or text.endswith(_FORBIDDEN_SUFFIXES)
        ):
            raise errors.InvalidBucketName(BucketName=text[: 2 * BUCKET_NAME_MAX_CHARACTERS])
        return cls(text)


class ObjectKey(str):
    """An object's key: 1 to 1,024 bytes of UTF-8, compared byte by byte."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidArgument: it is empty.
            InvalidURI: it has a lone surrogate, which UTF-8 cannot hold.
            KeyTooLongError: it is longer than 1,024 bytes in UTF-8.
        """
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise errors.InvalidURI from error
        if size > KEY_MAX_BYTES:
            raise errors.KeyTooLongError(Size=str(size), MaxSizeAllowed=str(KEY_MAX_BYTES))
        if not text:
            raise errors.InvalidArgument("An object key has at least one byte.", ArgumentName="key")
        return cls(text)


class VersionId(str):
    """The id of a version: opaque, or `null` for the version that was written without versioning."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidArgument: it is no version id.
        """
        if not _VERSION.fullmatch(text):
            raise errors.InvalidArgument("Invalid version id specified", ArgumentName="versionId", ArgumentValue=text[:64])
        return cls(text)


NULL_VERSION: Final = VersionId("null")


class UploadId(str):
    """The id of a multipart upload: opaque, URL-safe."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            NoSuchUpload: it has a form that no upload id has.
        """
        if not _UPLOAD.fullmatch(text):
            raise errors.NoSuchUpload
        return cls(text)


class PartNumber(int):
    """The number of a part, 1 to 10,000."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidArgument: it is no integer from 1 to 10,000.
        """
        if not _PART_NUMBER.fullmatch(text) or not 1 <= int(text) <= PART_NUMBER_MAX:
            raise errors.InvalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive",
                ArgumentName="partNumber",
                ArgumentValue=text[:64],
            )
        return cls(text)


class TenantName(str):
    """The name of an organisation, a project or a principal."""

    __slots__ = ()
    PATTERN: ClassVar = r"[A-Za-z0-9][A-Za-z0-9 ._@$+=:-]{0,127}"
    WANTED: ClassVar = "1 to 128 of A-Z a-z 0-9 and . _ @ $ + = : - or space"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate `text`.

        Raises:
            InvalidArgument: it is empty, longer than 128 characters or has a character that a name cannot.
        """
        if not re.fullmatch(cls.PATTERN, text):
            raise errors.InvalidArgument(f"A name has {cls.WANTED}.", ArgumentValue=text[:64])
        return cls(text)
