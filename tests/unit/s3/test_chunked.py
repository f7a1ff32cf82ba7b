"""aws-chunked: the framings of the clients, and each way in which a body can be wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor_server.auth.canonical import UNSIGNED, Payload, payload_of
from lightningstor_server.auth.sigv4 import Signature
from lightningstor_server.s3 import chunked
from lightningstor_server.s3.chunked import ChunkedDecoder
from lightningstor_types import errors

PLAIN = payload_of("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
SIGNED = payload_of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
SIGNED_TRAILER = payload_of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
CRC = "x-amz-checksum-crc32c"
CRC_LINE = b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
KEY, STAMP, SCOPE, SEED = b"k" * 32, "20260304T050607Z", "20260304/eu-test-1/s3/aws4_request", "5eed" * 16
EMPTY = hashlib.sha256(b"").hexdigest()


def decoder(payload: Payload = PLAIN, *, length: int, trailer: Iterable[str] = ()) -> ChunkedDecoder:
    """A decoder whose signed chunks follow SEED."""
    signature = Signature(access_key="a", signing_key=KEY, scope=SCOPE, amz_date=STAMP, seed=SEED, payload=payload)
    return ChunkedDecoder(payload, signature, decoded_length=length, trailer_names=frozenset(trailer))


def decode(body: bytes, payload: Payload = PLAIN, *, length: int, trailer: Iterable[str] = (), cuts: Iterable[int] = ()) -> bytes:
    """The body, fed in pieces that end at `cuts`."""
    reader = decoder(payload, length=length, trailer=trailer)
    out, at = b"", 0
    for cut in [*sorted(cut for cut in cuts if cut < len(body)), len(body)]:
        out += b"".join(reader.feed(body[at:cut]))
        at = cut
    reader.finish()
    assert reader.done
    assert reader.trailers.keys() == set(trailer)
    return out


def sign(*lines: str) -> str:
    """A signature by the book, apart from the code under test."""
    return hmac.new(KEY, "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def signed_chunks(*chunks: bytes) -> tuple[bytes, str]:
    """The chunks in signed framing, the empty one last without its CRLF, and the last signature."""
    body, previous = b"", SEED
    for chunk in (*chunks, b""):
        previous = sign("AWS4-HMAC-SHA256-PAYLOAD", STAMP, SCOPE, previous, EMPTY, hashlib.sha256(chunk).hexdigest())
        body += b"%x;chunk-signature=%s\r\n%s" % (len(chunk), previous.encode(), chunk + b"\r\n" if chunk else b"")
    return body, previous


def trailer_signature(previous: str, canonical: bytes) -> bytes:
    """The line that signs a trailer, without its end."""
    value = sign("AWS4-HMAC-SHA256-TRAILER", STAMP, SCOPE, previous, hashlib.sha256(canonical).hexdigest())
    return b"x-amz-trailer-signature:" + value.encode()


# -- what clients send -----------------------------------------


@pytest.mark.parametrize(
    ("body", "expected", "trailer"),
    [
        pytest.param(b"5\r\nhello\r\n0\r\n" + CRC_LINE + b"\r\n", b"hello", {CRC}, id="botocore"),
        pytest.param(b"0\r\n" + CRC_LINE + b"\r\n", b"", {CRC}, id="botocore, empty body"),
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n", b"hello", set(), id="no trailer"),
        pytest.param(b"0\r\n\r\n", b"", set(), id="no trailer, empty body"),
        pytest.param(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n" + CRC_LINE + b"\r\n", b"hello", {CRC}, id="several chunks"),
        pytest.param(b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", set(), id="upper-case size"),
        pytest.param(b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n", b"hello", {CRC}, id="minio-go"),
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n" + CRC_LINE, b"hello", {CRC}, id="empty chunk with its CRLF"),
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n" + CRC_LINE + b"\r\n", b"hello", {CRC}, id="both"),
        pytest.param(b"5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32c: \tsOO8/Q== \r\n\r\n", b"hello", {CRC}, id="case and space"),
    ],
)
def test_unsigned_layouts(body: bytes, expected: bytes, trailer: set[str]) -> None:
    """Each layout that a client sends decodes to its body and trailer."""
    assert decode(body, length=len(expected), trailer=trailer) == expected
    assert decode(body, UNSIGNED, length=len(expected), trailer=trailer) == expected


def test_trailer_values() -> None:
    """Trailers are known by lower-case name and have no space around them; before the end there are none."""
    reader = decoder(length=0, trailer={CRC, "x-amz-checksum-sha1"})
    reader.feed(b"0\r\nX-AMZ-Checksum-CRC32C: sOO8/Q== \r\nx-amz-checksum-sha1:a b\r\n\r\n")
    assert reader.trailers == {}
    assert not reader.done
    reader.finish()
    assert reader.trailers == {CRC: "sOO8/Q==", "x-amz-checksum-sha1": "a b"}


def test_signed_chunks() -> None:
    """Signed chunks of any size decode, and need the CRLF behind the empty one."""
    body, _ = signed_chunks(b"a" * 70_000, b"b", b"c" * 8192)
    assert decode(body + b"\r\n", SIGNED, length=78_193) == b"a" * 70_000 + b"b" + b"c" * 8192


@pytest.mark.parametrize("end", [b"\r\n", b"\n\r\n"], ids=["RFC 9112", "minio-go"])
@pytest.mark.parametrize("last", [b"\r\n\r\n", b"\r\n"])
def test_signed_trailer(end: bytes, last: bytes) -> None:
    """A signed trailer decodes in the layouts of the SDKs and of minio-go."""
    body, previous = signed_chunks(b"hello")
    body += CRC_LINE[:-2] + end + trailer_signature(previous, b"x-amz-checksum-crc32c:sOO8/Q==\n") + last
    assert decode(body, SIGNED_TRAILER, length=5, trailer={CRC}) == b"hello"


def test_trailers_are_signed_in_order_of_name() -> None:
    """The canonical trailer is sorted by name, whatever the order on the wire."""
    body, previous = signed_chunks()
    body += b"x-b:2\r\nx-a: 1\r\n" + trailer_signature(previous, b"x-a:1\nx-b:2\n") + b"\r\n\r\n"
    assert decode(body, SIGNED_TRAILER, length=0, trailer={"x-a", "x-b"}) == b""


def test_empty_line_within_a_signed_trailer() -> None:
    """An empty line stands directly before the signature, as minio-go puts it, and nowhere else."""
    body, previous = signed_chunks()
    line = trailer_signature(previous, b"x-a:1\nx-b:2\n") + b"\r\n\r\n"
    assert decode(body + b"x-a:1\r\nx-b:2\r\n\r\n" + line, SIGNED_TRAILER, length=0, trailer={"x-a", "x-b"}) == b""
    with pytest.raises(errors.MalformedTrailerError):
        decode(body + b"x-a:1\r\n\r\nx-b:2\r\n" + line, SIGNED_TRAILER, length=0, trailer={"x-a", "x-b"})


def test_whole_pieces_are_not_copied() -> None:
    """A piece that lies within one chunk comes out as the object that went in."""
    reader = decoder(length=1 << 20)
    reader.feed(b"100000\r\n")
    piece = bytes(65_536)
    for _ in range(16):
        assert reader.feed(piece)[0] is piece


# -- splits -----------------------------------------


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, Payload, bytes, set[str]]:
    """A framed body that is right, its payload kind, its content and the trailer announced."""
    chunks = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    payload = draw(st.sampled_from([PLAIN, UNSIGNED, SIGNED, SIGNED_TRAILER]))
    if payload.chunks_signed:
        body, previous = signed_chunks(*chunks)
        if payload is SIGNED:
            return body + b"\r\n", payload, b"".join(chunks), set()
        body += CRC_LINE + trailer_signature(previous, CRC_LINE.replace(b"\r", b"")) + b"\r\n\r\n"
        return body, payload, b"".join(chunks), {CRC}
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return body + b"0\r\n" + CRC_LINE + b"\r\n", payload, b"".join(chunks), {CRC}


@given(bodies(), st.sets(st.integers(0, 700)))
def test_split_does_not_matter(framed: tuple[bytes, Payload, bytes, set[str]], cuts: set[int]) -> None:
    """A right body decodes to its content however it is cut into pieces, single bytes included."""
    body, payload, content, trailer = framed
    assert decode(body, payload, length=len(content), trailer=trailer, cuts=cuts) == content
    assert decode(body, payload, length=len(content), trailer=trailer, cuts=range(len(body))) == content


def outcome(body: bytes, payload: Payload, length: int, trailer: set[str], cuts: Iterable[int]) -> bytes | type[errors.StorError]:
    """The content, or the class of the refusal; any other exception is a fault of the decoder."""
    try:
        return decode(body, payload, length=length, trailer=trailer, cuts=cuts)
    except errors.StorError as error:
        return type(error)


@given(bodies(), st.data())
def test_damage_is_judged_alike_however_split(framed: tuple[bytes, Payload, bytes, set[str]], data: st.DataObject) -> None:
    """A body with bytes changed, cut out or put in has one outcome, and no content but the right one is accepted as signed."""
    body, payload, content, trailer = framed
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.binary(max_size=3)) + body[at + data.draw(st.integers(0, 3)) :]
    cuts = data.draw(st.sets(st.integers(0, 700)))
    whole = outcome(damaged, payload, len(content), trailer, ())
    assert outcome(damaged, payload, len(content), trailer, cuts) == whole
    assert outcome(damaged, payload, len(content), trailer, range(len(damaged))) == whole
    if payload.chunks_signed and isinstance(whole, bytes):
        assert whole == content


@given(bodies())
def test_truncation_is_never_accepted(framed: tuple[bytes, Payload, bytes, set[str]]) -> None:
    """No proper prefix passes, but for one that lacks only the empty line behind a whole trailer."""
    body, payload, content, trailer = framed
    for end in range(len(body)):
        accepted = isinstance(outcome(body[:end], payload, len(content), trailer, ()), bytes)
        assert not accepted or (trailer and body[end:] in (b"\r\n", b"\n"))


@given(st.binary(max_size=200), st.sampled_from([PLAIN, SIGNED, SIGNED_TRAILER]), st.sets(st.integers(0, 200)))
def test_any_bytes(body: bytes, payload: Payload, cuts: set[int]) -> None:
    """Whatever comes, the decoder answers with content or with one of S3's errors, and the same for every split."""
    assert outcome(body, payload, 5, set(), cuts) == outcome(body, payload, 5, set(), ())


# -- sizes and lines -----------------------------------------


@pytest.mark.parametrize(
    "line",
    [b"-1\r\n", b"+5\r\n", b"05\r\n", b"00\r\n", b"0x5\r\n", b" 5\r\n", b"5 \r\n", b"\r\n", b"5;\r\n", b"5\n", b"5\r\r\n", b"g\r\n",
     b"5_0\r\n", b"fffffffffff\r\n", b"5;a=b\r\n", b"5;chunk-signature=" + b"0" * 64 + b"\r\n", b"0" * 126 + b"\r\n", b"\xd9\xa5\r\n"],
)  # fmt: skip
def test_wrong_line_of_an_unsigned_chunk(line: bytes) -> None:
    """A size is plain hex without sign, prefix, space or leading zero, and no extension goes with it."""
    with pytest.raises(errors.InvalidRequest):
        decoder(length=5).feed(line + b"hello\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "form",
    ["{n:x}\r\n", "{n:x};chunk-signature=\r\n", "{n:x};chunk-signature={s};a=b\r\n", "{n:x};a=b;chunk-signature={s}\r\n",
     "{n:x}; chunk-signature={s}\r\n", "0{n:x};chunk-signature={s}\r\n", "{n:x};Chunk-Signature={s}\r\n", "{n:x};chunk-signature={s}\n"],
)  # fmt: skip
def test_wrong_line_of_a_signed_chunk(form: str) -> None:
    """A signed chunk has its signature and no other extension."""
    good = sign("AWS4-HMAC-SHA256-PAYLOAD", STAMP, SCOPE, SEED, EMPTY, hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(errors.InvalidRequest):
        decoder(SIGNED, length=5).feed(form.format(n=5, s=good).encode() + b"hello\r\n")


def test_endless_line() -> None:
    """A line that does not end is refused once it is longer than any that is right."""
    reader = decoder(length=5)
    reader.feed(b"5" * (chunked.CHUNK_LINE_BYTES_MAX - 1))
    with pytest.raises(errors.InvalidRequest, match="long"):
        reader.feed(b"5")


@pytest.mark.parametrize("payload", [PLAIN, SIGNED])
def test_largest_chunk(payload: Payload) -> None:
    """A chunk may have its kind's limit and not a byte more, whatever length was announced."""
    limit = chunked.SIGNED_CHUNK_BYTES_MAX if payload is SIGNED else chunked.UNSIGNED_CHUNK_BYTES_MAX
    extension = b";chunk-signature=" + b"0" * 64 if payload is SIGNED else b""
    assert decoder(payload, length=limit + 1).feed(b"%x%s\r\n" % (limit, extension)) == []
    with pytest.raises(errors.InvalidRequest, match="more than"):
        decoder(payload, length=limit + 1).feed(b"%x%s\r\n" % (limit + 1, extension))


@pytest.mark.parametrize("behind", [b"hello!\r\n0\r\n\r\n", b"hello\n0\r\n\r\n", b"helloXX", b"hello\r0\r\n"])
def test_chunk_of_another_size(behind: bytes) -> None:
    """A chunk's data ends with CRLF just where its size says."""
    with pytest.raises(errors.InvalidRequest, match="where its size says"):
        decoder(length=5).feed(b"5\r\n" + behind)


# -- lengths and ends -----------------------------------------


def test_more_than_announced() -> None:
    """A chunk beyond the announced length is refused at its first line, before its data."""
    reader = decoder(length=5)
    assert b"".join(reader.feed(b"5\r\nhello\r\n")) == b"hello"
    with pytest.raises(errors.IncompleteBody):
        reader.feed(b"1\r\n")


@pytest.mark.parametrize("body", [b"", b"5", b"5\r\nhell", b"5\r\nhello", b"5\r\nhello\r\n", b"5\r\nhello\r\n0", b"5\r\nhello\r\n0\r\n"])
def test_final_chunk_missing(body: bytes) -> None:
    """A body that was cut off is incomplete, even where all its data came."""
    with pytest.raises(errors.IncompleteBody):
        decode(body, length=5)


@pytest.mark.parametrize("length", [6, 5 << 30])
def test_less_than_announced(length: int) -> None:
    """A whole body of another length is incomplete."""
    with pytest.raises(errors.IncompleteBody):
        decode(b"5\r\nhello\r\n0\r\n\r\n", length=length)


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"5\r\nhello\r\n", CRC_LINE])
def test_data_behind_the_end_of_signed_chunks(extra: bytes) -> None:
    """Nothing follows the CRLF of the empty chunk where no trailer was announced."""
    body, _ = signed_chunks(b"hello")
    with pytest.raises(errors.MalformedTrailerError):
        decode(body + b"\r\n" + extra, SIGNED, length=5)


@pytest.mark.parametrize("extra", [b"5\r\nhello\r\n", b"x", b"\r\n\r\n\r\n", b"x-a:1\r\n\r\n", CRC_LINE])
def test_data_behind_the_trailer(extra: bytes) -> None:
    """Nothing but an empty line follows a trailer."""
    with pytest.raises((errors.MalformedTrailerError, errors.IncompleteBody)):
        decode(b"5\r\nhello\r\n0\r\n" + CRC_LINE + b"\r\n" + extra, length=5, trailer={CRC})


def test_no_use_after_an_error_or_the_end() -> None:
    """A decoder that refused or finished takes nothing more."""
    reader = decoder(length=5)
    with pytest.raises(errors.InvalidRequest):
        reader.feed(b"x\r\n")
    with pytest.raises(errors.InvalidRequest):
        reader.feed(b"5\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(errors.IncompleteBody):
        reader.finish()
    reader = decoder(length=0)
    reader.feed(b"0\r\n\r\n")
    reader.finish()
    with pytest.raises(errors.InvalidRequest):
        reader.feed(b"0\r\n\r\n")
    with pytest.raises(errors.IncompleteBody):
        reader.finish()


# -- trailers -----------------------------------------


@pytest.mark.parametrize(
    ("trailer", "announced"),
    [
        pytest.param(b"", {CRC}, id="announced and absent"),
        pytest.param(CRC_LINE, set(), id="not announced"),
        pytest.param(CRC_LINE + b"x-amz-checksum-sha1:a\r\n", {CRC}, id="one more"),
        pytest.param(CRC_LINE + CRC_LINE, {CRC}, id="twice"),
        pytest.param(CRC_LINE + CRC_LINE.upper(), {CRC}, id="twice, in another case"),
        pytest.param(CRC_LINE + b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n", {CRC}, id="signature in unsigned mode"),
        pytest.param(b"x-amz-checksum-crc32c sOO8/Q==\r\n", {CRC}, id="no colon"),
        pytest.param(b"x-amz-checksum-crc32c :sOO8/Q==\r\n", {CRC}, id="space before the colon"),
        pytest.param(b" x-amz-checksum-crc32c:sOO8/Q==\r\n", {CRC}, id="space before the name"),
        pytest.param(b"x-amz-checksum-crc32c:\r\n", {CRC}, id="no value"),
        pytest.param(b"x-amz-checksum-crc32c:a\r\n b\r\n", {CRC}, id="folded"),
        pytest.param(b"x-amz-checksum-crc32c:a\rb\r\n", {CRC}, id="a bare CR"),
        pytest.param(b"x-amz-checksum-crc32c:\xff\r\n", {CRC}, id="not ASCII"),
        pytest.param(b":a\r\n", {CRC}, id="no name"),
        pytest.param(b"x-b:" + b"a" * chunked.TRAILER_BYTES_MAX + b"\r\n", {"x-b"}, id="too long"),
        pytest.param(b"x-b:1\r\n\r\n" + CRC_LINE, {CRC, "x-b"}, id="an empty line between"),
        pytest.param(b"\r\n" * 3 + CRC_LINE, {CRC}, id="empty lines before"),
    ],
)
def test_wrong_trailer(trailer: bytes, announced: set[str]) -> None:
    """A trailer is exactly what x-amz-trailer announced, each field once and well formed."""
    with pytest.raises(errors.MalformedTrailerError):
        decode(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n", length=5, trailer=announced)


def test_endless_trailer() -> None:
    """A trailer that does not end is refused at its limit, and not kept in memory until the end."""
    reader = decoder(length=0, trailer={CRC})
    reader.feed(b"0\r\n" + b"a" * chunked.TRAILER_BYTES_MAX)
    with pytest.raises(errors.MalformedTrailerError):
        reader.feed(b"a")


@pytest.mark.parametrize("count", [1, 3, 5])
def test_empty_lines_alone(count: int) -> None:
    """Empty lines are a trailer of nothing as far as some client sends them, and malformed beyond."""
    if count <= 3:
        assert decode(b"0\r\n" + b"\r\n" * count, length=0) == b""
    else:
        with pytest.raises(errors.MalformedTrailerError):
            decode(b"0\r\n" + b"\r\n" * count, length=0)


# -- signatures -----------------------------------------


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_wrong_chunk_signature(chunk: int) -> None:
    """A chunk with another's signature is refused at its end, the empty one included."""
    body, _ = signed_chunks(b"hello", b"world")
    parts = body.split(b";chunk-signature=")
    parts[chunk + 1] = b"0" * 64 + parts[chunk + 1][64:]
    with pytest.raises(errors.SignatureDoesNotMatch):
        decoder(SIGNED, length=10).feed(b";chunk-signature=".join(parts))


def test_changed_data() -> None:
    """A flipped bit is refused no later than the end of its chunk: the byte that completes it raises."""
    body, _ = signed_chunks(b"hello", b"world")
    start = body.index(b"hello")
    reader = decoder(SIGNED, length=10)
    reader.feed(body[:start] + b"hexl")
    with pytest.raises(errors.SignatureDoesNotMatch):
        reader.feed(b"o")


def test_chunks_exchanged_or_left_out() -> None:
    """The signatures are a chain: chunks in another order, or one less, do not fit."""
    body, _ = signed_chunks(b"hello", b"world")
    first, second, last = body.index(b"5;"), body.index(b"5;", 5), body.index(b"0;chunk")
    one, two, end = body[first:second], body[second:last], body[last:] + b"\r\n"
    for wrong in (two + one + end, one + end, two + end, one + one + end, end):
        with pytest.raises(errors.SignatureDoesNotMatch):
            decode(wrong, SIGNED, length=10)


def test_other_seed() -> None:
    """Chunks that follow another request's signature are refused."""
    body, _ = signed_chunks(b"hello")
    signature = Signature(access_key="a", signing_key=KEY, scope=SCOPE, amz_date=STAMP, seed="0" * 64, payload=SIGNED)
    with pytest.raises(errors.SignatureDoesNotMatch):
        ChunkedDecoder(SIGNED, signature, decoded_length=5).feed(body)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", errors.MalformedTrailerError),
        (b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n", errors.SignatureDoesNotMatch),
        (b"x-amz-trailer-signature:x\r\n", errors.SignatureDoesNotMatch),
        (b"x-amz-trailer-signature:\r\n", errors.MalformedTrailerError),
    ],
)
def test_trailer_signature(line: bytes, error: type[errors.StorError]) -> None:
    """In signed mode a trailer without its signature, or with a wrong one, is refused."""
    body, _ = signed_chunks(b"hello")
    with pytest.raises(error):
        decode(body + CRC_LINE + line + b"\r\n", SIGNED_TRAILER, length=5, trailer={CRC})


def test_changed_trailer() -> None:
    """The signature covers the checksum that it stands behind."""
    body, previous = signed_chunks(b"hello")
    line = trailer_signature(previous, b"x-amz-checksum-crc32c:AAAAAA==\n") + b"\r\n\r\n"
    with pytest.raises(errors.SignatureDoesNotMatch):
        decode(body + CRC_LINE + line, SIGNED_TRAILER, length=5, trailer={CRC})


def test_empty_signed_trailer() -> None:
    """In the signed trailer mode even a trailer of nothing is signed."""
    body, previous = signed_chunks(b"hello")
    assert decode(body + trailer_signature(previous, b"") + b"\r\n\r\n", SIGNED_TRAILER, length=5) == b"hello"
    with pytest.raises(errors.MalformedTrailerError):
        decode(body + b"\r\n", SIGNED_TRAILER, length=5)


def test_a_decoder_needs_what_it_checks_with() -> None:
    """Signed chunks without a signature, and a hash as framing, are mistakes of the caller."""
    for payload in (SIGNED, SIGNED_TRAILER, payload_of(EMPTY)):
        with pytest.raises(ValueError, match="framing"):
            ChunkedDecoder(payload, None, decoded_length=0)
