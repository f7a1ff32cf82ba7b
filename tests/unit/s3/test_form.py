"""The grammar of multipart/form-data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms import BOUNDARY, body_of, part
from lightningstor_server.s3.form import (
    FIELDS_MAX,
    FORM_MAX_BYTES,
    FileBegin,
    FileEnd,
    FormField,
    FormReader,
    boundary_of,
)
from lightningstor_types.errors import IncorrectNumberOfFilesInPostRequest, MalformedPOSTRequest, MaxPostPreDataLengthExceededError

END = b"--" + BOUNDARY + b"--\r\n"


def read(body: bytes, size: int | None = None) -> tuple[list[tuple[str, bytes]], list[str], bytes, int]:
    """Fields, file names, the content of the file and how many ends it has, of a body that comes in pieces of a size."""
    reader = FormReader(BOUNDARY)
    fields, names, content, ends = [], [], b"", 0
    size = size or len(body) or 1
    for at in range(0, len(body), size):
        for event in reader.feed(body[at : at + size]):
            match event:
                case FormField(name, value):
                    fields.append((name, value))
                case FileBegin(name):
                    names.append(name)
                case FileEnd():
                    ends += 1
                case bytes():
                    content += event
    reader.finish()
    return fields, names, content, ends


@pytest.mark.parametrize("size", [None, 1, 2, 7, 64])
def test_a_form_in_any_pieces(size: int | None) -> None:
    """Fields in their order, then the file: the same however it is cut."""
    content = b"\r\n--" + BOUNDARY[:-1] + b"X--" + BOUNDARY + b"\r\n-\r"
    body = body_of([("a", "b"), ("A b", b""), ("key", "\u00e9\r\nx")], content, filename="n.txt")
    expected = ([("a", b"b"), ("A b", b""), ("key", "\u00e9\r\nx".encode())], ["n.txt"], content, 1)
    assert read(body, size) == expected


@given(content=st.binary(max_size=300), cut=st.integers(1, 60), tail=st.integers(0, len(BOUNDARY) + 4))
def test_any_content_comes_out_as_it_went_in(content: bytes, cut: int, tail: int) -> None:
    """Also content that ends in what may be the beginning of a delimiter."""
    content += (b"\r\n--" + BOUNDARY)[:tail] if tail <= len(BOUNDARY) + 3 else b""
    assert read(body_of([], content), cut) == ([], ["name.txt"], content, 1)


def test_what_means_nothing() -> None:
    """A preamble, padding behind a boundary and an epilogue (RFC 2046 section 5.1.1)."""
    body = b"preamble\r\n" + part("a", "b").replace(BOUNDARY, BOUNDARY + b" \t") + END + b"\r\nepilogue --" + BOUNDARY
    for size in (None, 1):
        assert read(body, size) == ([("a", b"b")], [], b"", 0)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('name="file"; filename="a b.txt"', "a b.txt"),
        ("name=file; filename=x", "x"),
        ('name="file"; filename="a\\"b\\\\c"', 'a"b\\c'),
        ('name="file"; filename="C:\\dir\\x"', "C:\\dir\\x"),
        ('filename="a;b=c"; name="FILE"', "a;b=c"),
        ('name="file"; filename="\u65e5"', "\u65e5"),
        ('name="file"', ""),
        ('name="file"; filename=""', ""),
    ],
)
def test_names_of_files(written: str, name: str) -> None:
    """Quoted or not, with escaped quotes, with bare backslashes; none is empty."""
    head = f"content-disposition: form-data; {written}\r\nContent-Type: x/y\r\n\r\n".encode()
    assert read(b"--" + BOUNDARY + b"\r\n" + head + b"c\r\n" + END)[1] == [name]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"X: y",
        b"Content-Disposition: form-data",
        b"Content-Disposition: form-data; name=",
        b'Content-Disposition: form-data; name=""',
        b'Content-Disposition: attachment; name="a"',
        b'Content-Disposition: form-data; name="a"; name="b"',
        b'Content-Disposition: form-data; name="a" x',
        b'Content-Disposition: form-data; name="a',
        b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"',
        b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64',
        b'Content-Disposition: form-data; name="a"\r\nno colon',
        b'Content-Disposition: form-data; name="\xff"',
        b'Content-Disposition : form-data; name="a"',
    ],
)
def test_heads_that_are_none(head: bytes) -> None:
    """A part without one plain name, or whose value is encoded, is refused."""
    with pytest.raises(MalformedPOSTRequest):
        read(b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\nv\r\n" + END)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of the kind",
        part("a", "b"),
        part("a", "b")[:-2] + END,
        part("a", "b") + b"--" + BOUNDARY + b"-\r\n",
        part("a", "b") + b"--" + BOUNDARY + b"x\r\n\r\n",
        part("a", "b") + b"--" + BOUNDARY,
        part("file", "b", filename="n"),
    ],
)
@pytest.mark.parametrize("size", [None, 1])
def test_bodies_that_are_no_form(body: bytes, size: int | None) -> None:
    """Without a boundary, with another one, or without an end."""
    with pytest.raises(MalformedPOSTRequest):
        read(body, size)


def test_what_is_beside_the_file_is_bounded() -> None:
    """By size, however it comes, and by number; the file is not counted."""
    content = b"x" * (4 * FORM_MAX_BYTES)
    assert read(body_of([("a", b"y" * (FORM_MAX_BYTES - 1000))], content), 5000)[2] == content
    large = b"y" * (FORM_MAX_BYTES + 1)
    for body in (
        body_of([("a", large)]),
        body_of([], behind=[("a", large)]),
        large,
        b"--" + BOUNDARY + b"\r\n" + large,
        b"--" + BOUNDARY + b" " * len(large),
        body_of([]) + large,
        body_of([("a", b"y" * 9000)] * 3),
    ):
        for size in (None, 4096):
            with pytest.raises(MaxPostPreDataLengthExceededError):
                read(body, size)
    field = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
    assert len(list(FormReader(b"b").feed(field * FIELDS_MAX + b"--b"))) == FIELDS_MAX
    with pytest.raises(MaxPostPreDataLengthExceededError):
        list(FormReader(b"b").feed(field * (FIELDS_MAX + 1) + b"--b"))


def test_one_file() -> None:
    """A second one is refused, wherever it stands."""
    for name in ("file", "File"):
        with pytest.raises(IncorrectNumberOfFilesInPostRequest):
            read(body_of([("a", "b")], behind=[(name, "x")]))


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data; boundary=" + "a" * 70, b"a" * 70),
    ],
)
def test_boundaries(header: str, boundary: bytes) -> None:
    """A token or a quoted string."""
    assert boundary_of(header) == boundary


@pytest.mark.parametrize(
    "header",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=\xe9",
        'multipart/form-data; boundary="a\r\nb"',
    ],
)
def test_boundaries_that_are_none(header: str) -> None:
    """None, an empty one, one that is too long, two, or one with other characters (RFC 2046 section 5.1.1)."""
    with pytest.raises(MalformedPOSTRequest):
        boundary_of(header)
