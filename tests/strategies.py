"""Every Hypothesis strategy of the tests, once."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from asgi import Request

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
"""Keys within their limit: 40 characters have at most 160 bytes."""

xml_texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from("\t\n\r"), max_size=30).filter(
    lambda text: not {"\ufffe", "\uffff"} & set(text)
)
"""Text that XML 1.0 can hold."""

_PIECES = st.sampled_from(
    [
        b"<CompleteMultipartUpload>", b"</CompleteMultipartUpload>", b"<CreateBucketConfiguration>", b"</CreateBucketConfiguration>",
        b"<LocationConstraint>", b"</LocationConstraint>", b"<Part>", b"</Part>", b"<PartNumber>", b"</PartNumber>", b"<ETag>", b"</ETag>",
        b"1", b"<", b">", b"&amp;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?", b"?>", b"<!DOCTYPE a>", b"\xff", b"\0", b" ",
    ]
)  # fmt: skip
damaged_documents = st.lists(_PIECES, min_size=1, max_size=25).map(b"".join) | st.binary(min_size=1, max_size=60)
"""Things that look like documents and are none that succeeds."""

_METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"])
_PATHS = st.sampled_from([b"/", b"/bucket", b"/bucket/", b"/bucket/key", b"/bucket/a//b", b"//", b"", b"/nowhere/x"]) | st.binary(
    max_size=20
).map(lambda tail: b"/" + tail.replace(b"?", b"").replace(b"#", b""))
_NAMES = st.sampled_from(
    [
        "prefix", "delimiter", "marker", "max-keys", "list-type", "continuation-token", "encoding-type", "uploads", "uploadId",
        "partNumber", "versionId", "versions", "acl", "tagging", "policy", "location",
        "delete", "versioning", "response-content-type", "fetch-owner",
        "X-Amz-Expires", "X-Amz-Signature", "AWSAccessKeyId",
    ]
)  # fmt: skip
_VALUES = st.sampled_from([b"", b"1", b"0", b"-1", b"2", b"url", b"%ff", b"%", b"a+b", b"%00", b"x"]) | st.binary(max_size=8)
_QUERIES = st.lists(st.tuples(_NAMES, _VALUES), max_size=4).map(
    lambda pairs: b"&".join(name.encode() + b"=" + value for name, value in pairs)
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "x-amz-copy-source", "x-amz-meta-a",
                "content-md5", "x-amz-checksum-crc32", "x-amz-checksum-mode", "x-amz-expected-bucket-owner", "x-amz-storage-class",
                "content-encoding", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-if-match-size", "expires", "content-type",
                "x-amz-copy-source-if-modified-since", "x-amz-metadata-directive", "x-amz-tagging", "x-amz-tagging-directive", "host",
            ]
        ),
        st.sampled_from(["", "*", '"', "bytes=0-1", "bytes=-", "bucket/key", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 99 Foo 0 ::", "0"])
        | st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12).map(str.strip),
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)  # fmt: skip
_BODIES = st.sampled_from([b"", b"x", b"<Delete/>", b"<CreateBucketConfiguration/>"])

requests = st.builds(
    lambda method, path, query, headers, body: Request(method=method, path=path, query=query).with_headers(*headers).with_body(body),
    _METHODS, _PATHS, _QUERIES, _HEADERS, _BODIES,
)  # fmt: skip
"""Requests as a careless or hostile client sends them, not signed."""

moments = st.datetimes(allow_imaginary=False).map(lambda moment: moment.replace(microsecond=0))

dates = (
    st.sampled_from(["", " ", ",", "Mon", "Wed, 3 Apr 2002 12.34.56.78+0800", "2026", "20260102", "0000-00-00", "1 Jan", "9" * 50]) | _TEXT
)
"""Texts in the place of a date."""

damages = st.tuples(st.integers(min_value=0), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
"""Where a file is damaged: which of several, how far into it, and which bit."""

# -- policies, of few words, so that they often speak of the requests

_ACCOUNTS = ("000000000001", "000000000002")
_POLICY_PRINCIPALS = st.sampled_from(
    [
        "*", {"AWS": "*"}, {"AWS": _ACCOUNTS[0]}, {"AWS": f"arn:aws:iam::{_ACCOUNTS[0]}:root"}, {"AWS": "acme/shop"},
        {"AWS": [f"arn:aws:iam::{_ACCOUNTS[0]}:user/al", f"arn:aws:iam::{_ACCOUNTS[1]}:root"]}, {"CanonicalUser": "c1"},
        {"AWS": f"arn:aws:iam::{_ACCOUNTS[1]}:role/r"}, {"AWS": f"arn:aws:sts::{_ACCOUNTS[1]}:assumed-role/r/s"},
        {"Service": "logging.s3.amazonaws.com"}, {"Service": "logging.s3.amazonaws.com", "AWS": f"arn:aws:iam::{_ACCOUNTS[0]}:user/al"},
    ]
)  # fmt: skip
policy_askers = st.sampled_from(
    [
        {}, {"service": "logging.s3.amazonaws.com"},
        {"accounts": (_ACCOUNTS[0], "acme/shop"), "resource": "root", "canonical_id": "c1"},
        {"accounts": (_ACCOUNTS[0], "acme/shop"), "resource": "user/al", "canonical_id": "c1"},
        {"accounts": (_ACCOUNTS[0], "acme/shop"), "resource": "user/bo", "canonical_id": "c1"},
        {"accounts": (_ACCOUNTS[1],), "resource": "user/al", "canonical_id": "c2"},
        {"accounts": (_ACCOUNTS[1],), "resource": "assumed-role/r/s", "canonical_id": "c2", "role": "role/r"},
    ]
)  # fmt: skip
"""Who asks: arguments of the reference evaluator's `Asker`."""
_POLICY_ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "S3:GETOBJECT", "s3:Get*", "s3:*", "s3:?etObject", "*", "s3:*Object"])
policy_actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "s3:ListBucket"])
"""What is asked for."""
_PATTERN_TEXTS = st.lists(
    st.sampled_from(["a", "b", "/", "*", "?", "${aws:username}", "${*}", "${aws:userid, 'a'}", "${s3:prefix}"]), max_size=5
)
_POLICY_RESOURCES = st.sampled_from(["*", "arn:aws:s3:::b", "arn:aws:s3:::*", "arn:aws:s3:::b/*"]) | _PATTERN_TEXTS.map(
    lambda texts: "arn:aws:s3:::b/" + "".join(texts)
)
policy_resources = st.sampled_from(["arn:aws:s3:::b"]) | st.text("ab/*?", max_size=4).map(lambda key: "arn:aws:s3:::b/" + key)
"""What is asked of."""
_STRINGS = st.text("abA*?", max_size=3)
_ARNS = st.sampled_from(["arn:aws:s3:::b", "arn:aws:iam::1:user/al", "arn:aws:sns:x:1:t:u", "arn:aws", "a:b:c:d:e", ""])
_NUMBERS = st.sampled_from(["0", "1", "-1", "1.0", "10", "9.99", "+1"])
_INSTANTS = st.sampled_from(
    ["2026", "2026-01", "2026-01-02", "2026-01-02T03:04Z", "2026-01-02T04:04:00+01:00", "2026-01-02T03:04:00.5Z", "1767225600", "0"]
)
_RANGES = st.sampled_from(["10.0.0.0/8", "10.1.2.3", "192.0.2.1/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1"])
_FAMILIES = {
    # operators: what a policy has for them, what a request may have
    ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"): (
        _STRINGS | _PATTERN_TEXTS.map("".join), _STRINGS,
    ),
    ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"): (
        _NUMBERS, _NUMBERS | st.sampled_from(["", "x", "1e3", "NaN"]),
    ),
    ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"): (
        _INSTANTS, _INSTANTS | st.sampled_from(["", "x", "2026-13-01"]),
    ),
    ("Bool",): (st.sampled_from(["true", "false", "TRUE", True, False]), st.sampled_from(["true", "false", "True", "", "x"])),
    ("BinaryEquals",): (st.sampled_from(["YQ==", "YWI=", ""]), st.sampled_from(["YQ==", "YWI=", "a", ""])),
    ("IpAddress", "NotIpAddress"): (
        _RANGES, st.sampled_from(["10.1.2.3", "192.0.2.77", "2001:db8::1", "2001:db9::1", "x", ""]),
    ),
    ("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"): (
        st.sampled_from([
            "*", "arn:aws:s3:::*", "arn:aws:iam::1:user/${aws:username}", "arn:*:*:*:1:*", "arn:aws:sns:?:1:t*",
            "arn:aws:iam::1:user/${aws:userid, 'al'}",
        ]),
        _ARNS,
    ),
    ("Null",): (st.sampled_from(["true", "false", True, False]), _STRINGS),
}  # fmt: skip
policy_operators = st.sampled_from(list(_FAMILIES)).flatmap(lambda family: st.tuples(st.sampled_from(family), st.just(_FAMILIES[family])))
"""An operator, what a policy may have for it, and what a request may have."""


@st.composite
def policy_conditions(draw):
    """The name of an operator with what may stand around it, the policy's values and the request's."""
    base, (wanted, given) = draw(policy_operators)
    before = draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"])) if base != "Null" else ""
    after = draw(st.sampled_from(["", "", "IfExists"])) if base != "Null" else ""
    return before + base + after, draw(st.lists(wanted, min_size=1, max_size=3)), tuple(draw(st.lists(given, max_size=3)))


_CONDITION_KEYS = ("s3:prefix", "aws:SourceIp", "S3:Max-Keys", "s3:ExistingObjectTag/A", "s3:ExistingObjectTag/a", "aws:PrincipalTag/A")


@st.composite
def policies_and_contexts(draw):
    """The texts of some policies of the bucket `b`, valid ones, and what is known of a request to it."""
    context = {}
    if draw(st.booleans()):
        context["aws:UserName"] = ("al",)
    if draw(st.booleans()):
        context["aws:userid"] = tuple(draw(st.lists(_STRINGS, max_size=2)))

    def statement():
        made = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
        negated = {name: draw(st.integers(0, 4)) == 0 for name in ("Principal", "Action", "Resource")}
        negated["Principal"] &= made["Effect"] == "Deny"
        for name, values in (
            ("Principal", _POLICY_PRINCIPALS),
            ("Action", _POLICY_ACTIONS | st.lists(_POLICY_ACTIONS, min_size=1, max_size=2)),
            ("Resource", _POLICY_RESOURCES | st.lists(_POLICY_RESOURCES, min_size=1, max_size=2)),
        ):
            made["Not" * negated[name] + name] = draw(values)
        for _ in range(draw(st.integers(0, 2))):
            name, wanted, given = draw(policy_conditions())
            key = draw(st.sampled_from(_CONDITION_KEYS))
            made.setdefault("Condition", {}).setdefault(name, {})[key] = wanted
            context.setdefault(key.swapcase() if "/" not in key else key, given)
        return made

    version = st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}])
    documents = [
        draw(version) | {"Statement": [statement() for _ in range(draw(st.integers(1, 3)))]} for _ in range(draw(st.integers(1, 2)))
    ]
    return [json.dumps(document) for document in documents], context
