"""Values as text: each type is read strictly and written as S3 writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from lightningstor_server.s3.text import element_format, header_format, http_date, iso_date, parser_of
from lightningstor_types.digests import ChecksumAlgorithm, ChecksumType, ETag
from lightningstor_types.errors import InvalidArgument, InvalidRequest, InvalidStorageClass, InvalidURI, StorError
from lightningstor_types.names import BucketName, ObjectKey, PartNumber, UploadId, VersionId
from lightningstor_types.objects import ByteRange, CopySource, StorageClass
from lightningstor_types.operations.copying import MetadataDirective
from lightningstor_types.operations.listing import EncodingType

KINDS = [str, int, bool, datetime, ETag, ByteRange, CopySource, BucketName, ObjectKey, VersionId, UploadId, PartNumber, StorageClass,
         ChecksumAlgorithm, ChecksumType, EncodingType, MetadataDirective]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(text=strategies.dates | st.text(max_size=20), name=st.sampled_from(["range", "if-modified-since", "x-amz-anything"]))
def test_any_text_is_a_value_or_refused(kind: type[Any], text: str, name: str) -> None:
    """No text makes a parser raise anything but a typed error."""
    try:
        value = parser_of(kind)(text, name)
    except StorError:
        return
    assert value is None or isinstance(value, kind)


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_integers(number: int) -> None:
    """An integer is read back."""
    assert parser_of(int)(header_format(int)(number), "n") == number


@pytest.mark.parametrize("text", ["", " 1", "1 ", "+1", "--1", "1.0", "1e3", "0x1", "٣", "²", "1_000", "9" * 19, "9" * 5000])
def test_what_is_no_integer(text: str) -> None:
    """No sign but minus, no space, no other digits, and nothing that 64 bits do not hold."""
    with pytest.raises(InvalidArgument):
        parser_of(int)(text, "n")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TRUE", True), ("false", False), ("False", False)])
def test_booleans(text: str, *, value: bool) -> None:
    """True and false, in any case."""
    assert parser_of(bool)(text, "b") is value


@given(strategies.moments)
def test_dates(moment: datetime) -> None:
    """A moment of whole seconds is read back from HTTP's form and from XML's; HTTP's is the one of the standard library."""
    moment = moment.replace(tzinfo=UTC)
    assert http_date(moment) == format_datetime(moment, usegmt=True)
    assert iso_date(moment) == moment.strftime(f"{moment.year:04}-%m-%dT%H:%M:%S.000Z")
    assert parser_of(datetime)(iso_date(moment), "x") == moment
    if moment.year >= 1000:  # RFC 9110's years have four digits; two-digit ones mean others (RFC 5322 section 4.3)
        assert parser_of(datetime)(http_date(moment), "x") == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("1994-11-06T08:49:37Z", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("1994-11-06T08:49:37.250Z", datetime(1994, 11, 6, 8, 49, 37, 250_000, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37 +0100", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_forms_of_dates(text: str, expected: datetime) -> None:
    """The three forms that RFC 9110 section 5.6.7 has a recipient take, and ISO 8601."""
    assert parser_of(datetime)(text, "x") == expected


@pytest.mark.parametrize("text", ["", "never", "0", "Sun, 99 Nov 1994 08:49:37 GMT", "1994-13-01", "Sun, 06 Nov 99999 08:49:37 GMT"])
def test_what_is_no_date(text: str) -> None:
    """In a condition it is ignored (RFC 9110 section 13.1.3), elsewhere it is an error."""
    assert parser_of(datetime)(text, "x-amz-copy-source-if-modified-since") is None
    with pytest.raises(InvalidArgument):
        parser_of(datetime)(text, "x-amz-if-match-last-modified-time")


@given(first=st.integers(0, 2**70), more=st.integers(0, 2**70))
def test_ranges(first: int, more: int) -> None:
    """First and last are both inclusive."""
    assert parser_of(ByteRange)(f"bytes={first}-{first + more}", "range") == ByteRange(offset=first, limit=more + 1)
    assert parser_of(ByteRange)(f"bytes={first}-", "range") == ByteRange(offset=first)
    assert parser_of(ByteRange)(f"bytes=-{first + 1}", "range") == ByteRange(offset=-first - 1)


@pytest.mark.parametrize("text", ["bytes=-", "bytes=2-1", "bytes=a-", "bytes=0-1,2-3", "items=0-1", "", f"bytes={'1' * 65}-"])
def test_what_is_no_range(text: str) -> None:
    """A read ignores it (RFC 9110 section 14.2), a copy refuses it."""
    assert parser_of(ByteRange)(text, "range") is None
    with pytest.raises(InvalidArgument):
        parser_of(ByteRange)(text, "x-amz-copy-source-range")


@given(key=strategies.keys, prefix=st.sampled_from(["", "/"]), safe=st.sampled_from(["", "/", "/+~"]))
def test_copy_sources(key: str, prefix: str, safe: str) -> None:
    """A source is read back whatever its key is, with and without a leading slash and with a version."""
    text = f"{prefix}bucket/{quote(key, safe=safe)}"
    source = CopySource(bucket=BucketName("bucket"), key=ObjectKey(key))
    assert parser_of(CopySource)(text, "x") == source
    versioned = CopySource(bucket=source.bucket, key=source.key, version_id=VersionId("null"))
    assert parser_of(CopySource)(f"{text}?versionId=null", "x") == versioned


@pytest.mark.parametrize(
    ("text", "error"),
    [("bucket", InvalidArgument), ("/", InvalidArgument), ("bucket/", InvalidArgument), ("bucket/k?versionId=", InvalidArgument),
     ("bucket/%ff", InvalidURI), ("bucket/%z", InvalidURI), ("bucket/\udcff", InvalidURI)],
)  # fmt: skip
def test_what_is_no_copy_source(text: str, error: type[StorError]) -> None:
    """A source has a bucket and a key of UTF-8, and a version that is one where it says so."""
    with pytest.raises(error):
        parser_of(CopySource)(text, "x")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (StorageClass, InvalidStorageClass),
        (ChecksumAlgorithm, InvalidRequest),
        (ChecksumType, InvalidRequest),
        (EncodingType, InvalidArgument),
    ],
)
def test_choices(kind: type[Any], error: type[StorError]) -> None:
    """A choice is written in one way, and every set has the error that S3 has for it."""
    for choice in kind:
        assert parser_of(kind)(choice.value, "x") is choice
    for text in ("", "x", next(iter(kind)).value.swapcase()):
        with pytest.raises(error):
            parser_of(kind)(text, "x")


def test_a_kind_without_a_text_form_is_found_at_start() -> None:
    """What no text can be is told when the fronts compile."""
    with pytest.raises(LookupError):
        parser_of(bytes)


def test_entity_tags() -> None:
    """The quotes are the wire's: put on in headers and elements, taken off from both."""
    assert parser_of(ETag)('"abc"', "x") == parser_of(ETag)("abc", "x") == ETag("abc")
    assert header_format(ETag)(ETag("abc")) == '"abc"'
    form = element_format(ETag)
    assert form is not None
    assert form(ETag("abc")) == "&quot;abc&quot;"
