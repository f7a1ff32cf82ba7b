"""Policies as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from lightningstor_server.auth.policy import read_policy
from lightningstor_server.auth.policy_documents import POLICY_BYTES_MAX, Effect, Kind, read_document
from lightningstor_server.auth.principals import EVERYBODY
from lightningstor_types.errors import MalformedPolicy, MalformedPolicyDocument, StorError

STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
OWN = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/idp.example"},
    "Action": "sts:AssumeRoleWithWebIdentity",
}


def written(statement: Mapping[str, Any] = STATEMENT, /, without: str = "", **elements: Any) -> str:
    """A policy of one statement, some of its elements others."""
    statement = {**statement, **elements}
    statement.pop(without, None)
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_document_is_read_whole() -> None:
    """Every element has its place in the value."""
    text = json.dumps({
        "Version": "2012-10-17", "Id": "My policy",
        "Statement": [
            {"Sid": "One of many", "Effect": "Deny", "NotPrincipal": {"AWS": ["000000000001", "arn:aws:iam::acme/shop:user/al"]},
             "NotAction": ["s3:GetObject", "S3:List*"], "NotResource": "arn:aws:s3:::b",
             "Condition": {"Bool": {"aws:SecureTransport": False}}},
            STATEMENT,
        ],
    })  # fmt: skip
    document = read_document(text, Kind.BUCKET, "b")
    first, second = document.statements
    assert (document.version, document.id, document.kind) == ("2012-10-17", "My policy", Kind.BUCKET)
    assert (first.index, first.sid, first.effect) == (0, "One of many", Effect.DENY)
    assert first.principals == {"AWS arn:aws:iam::000000000001:root", "AWS arn:aws:iam::acme/shop:user/al"}
    assert first.actions == ("s3:getobject", "s3:list*")
    assert (first.not_principal, first.not_action, first.not_resource) == (True, True, True)
    assert [(one.operator, one.key, one.values) for one in first.conditions] == [("Bool", "aws:securetransport", ("false",))]
    assert (second.index, second.sid, second.effect, second.principals) == (1, "", Effect.ALLOW, {EVERYBODY})
    assert (second.not_principal, second.not_action, second.not_resource, second.conditions) == (False, False, False, ())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Statement": STATEMENT}),
        written(Sid="Allow Public Access to All Objects"),
        written(Action="*"), written(Action=["s3:*", "S3:GETOBJECT"]), written(Action="s3:Get*Tagging"),
        written(Resource="*"), written(Resource="arn:aws:s3:::*"), written(Resource="arn:aws:s3:::*/*"), written(Resource="arn:aws:s3:::?"),
        written(Resource="arn:aws:s3:::${aws:username}/*"), written(Resource="arn:aws:s3:::b*"), written(Resource="arn:aws:s3:::b/${*}"),
        written(Condition={}), written(Condition={"NumericEquals": {"s3:max-keys": [1, 2.5]}}),
        written(Condition={"StringEquals": {"s3:ExistingObjectTag/security": "public", "S3:PREFIX": ""}}),
        written(Principal={"Service": "logging.s3.amazonaws.com"}), written(Principal={"CanonicalUser": "testid$tenant"}),
        written(Principal={"AWS": "arn:aws:iam:::user/testid"}), written(Principal={"AWS": "arn:aws:sts::1:assumed-role/r/s"}),
        written(Principal={"Federated": "cognito-identity.amazonaws.com"}),
        json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, "Sid": "same"}, {**STATEMENT, "Sid": "same"}]}),
        written(Sid="x" * 19_000),
    ],
)  # fmt: skip
def test_what_a_bucket_s_policy_may_say(text: str) -> None:
    """As AWS takes it; access-log policies repeat their Sids."""
    assert read_document(text, Kind.BUCKET, "b").statements


MALFORMED = [
    "", " ", "null", "[]", "1", '"x"', "{}", "{", '{"Statement": []}', '{"Statement": {}}', '{"Statement": [1]}', '{"Statement": "x"}',
    "\ufeff" + written(), written() + "x", written().replace('"Allow"', "NaN"), written(Sid="\ud800"), '{"Statement": "\ud800"}',
    written().replace("2012-10-17", "2010-10-17"), written().replace('"2012-10-17"', "2012"), written().replace("Statement", "statement"),
    written().replace('"Effect": "Allow"', '"Effect": "Allow", "Effect": "Deny"'),
    written().replace('"Version"', '"Statement": [], "Version"'),
    json.dumps({"Statement": STATEMENT, "Comment": "x"}), json.dumps({"Statement": STATEMENT, "Id": 1}),
    "[" * 10_000, '{"a":' * 3_000, written(Sid="x" * POLICY_BYTES_MAX), written(Id="x"), written(Sid=1), written(Sid=None),
    written(without="Effect"), written(Effect="allow"), written(Effect=None), written(Effect=["Allow"]), written(Effect={}),
    written(without="Principal"), written(Principal=None), written(Principal="x"), written(Principal=[]), written(Principal=["*"]),
    written(Principal={}), written(Principal={"AWS": []}), written(Principal={"AWS": [1]}), written(Principal={"AWS": {}}),
    written(Principal={"aws": "*"}), written(Principal={"User": "x"}), written(Principal={"AWS": ""}), written(Principal={"AWS": "*a"}),
    written(Principal={"AWS": "arn:aws:iam::1:user/*"}), written(Principal={"AWS": "arn:aws:iam::*:root"}),
    written(Principal={"AWS": "arn:aws:iam::1:group/g"}), written(Principal={"AWS": "arn:aws:iam::1:user/"}),
    written(Principal={"AWS": "arn:aws:s3:::b"}), written(Principal={"CanonicalUser": "*"}), written(Principal={"Service": "*"}),
    written(NotPrincipal="*"), written(without="Principal", NotPrincipal={"AWS": "arn:aws:iam::1:root"}),
    written(without="Action"), written(Action=None), written(Action=[]), written(Action=""), written(Action=[["s3:GetObject"]]),
    written(Action="GetObject"), written(Action="s3:"), written(Action="s3:GetObjects"), written(Action="s3:Fly*"),
    written(Action="ec2:GetObject"), written(Action="s3:ListAllMyBuckets"), written(Action=["s3:GetObject", "s3:Nothing"]),
    written(Action="s3:Get Object"), written(NotAction="s3:PutObject"), written(Action="${aws:username}"),
    written(without="Resource"), written(Resource=None), written(Resource=[]), written(Resource=""), written(Resource="b/*"),
    written(Resource="arn:aws:s3:::c"), written(Resource="arn:aws:s3:::c/*"), written(Resource="arn:aws:s3:::bb/*"),
    written(Resource="arn:aws:s3:::B"), written(Resource="arn:aws:s3:::?c/*"), written(Resource="arn:aws:s3:::"),
    written(Resource="arn:aws:s3:eu:1:b"), written(Resource="arn:aws:iam::1:user/al"), written(Resource="arn:aws:s3"),
    written(Resource="arn:*"), written(Resource="arn:aws:${aws:username}:::b"), written(Resource="arn:aws:s3:::b/${"),
    written(Resource=["arn:aws:s3:::b", "arn:aws:s3:::c"]), written(NotResource="arn:aws:s3:::b"),
    written(Condition=None), written(Condition=[]), written(Condition="x"), written(Condition={"StringEquals": {}}),
    written(Condition={"StringEquals": {"s3:prefix": []}}), written(Condition={"StringEquals": {"s3:prefix": [None]}}),
    written(Condition={"StringEquals": {"s3:prefix": {}}}), written(Condition={"StringEquals": "x"}),
    written(Condition={"Equals": {"s3:prefix": "x"}}), written(Condition={"StringEquals": {"s3:prefx": "x"}}),
    written(Condition={"StringEquals": {"aws:SourceIpp": "x"}}), written(Condition={"StringEquals": {"prefix": "x"}}),
    written(Condition={"StringEquals": {"kms:x": "x"}}), written(Condition={"StringEquals": {"s3:ExistingObjectTag/": "x"}}),
    written(Condition={"StringEquals": {"aws:SourceIp/x": "x"}}), written(Condition={"Bool": {"aws:SecureTransport": "no"}}),
    written(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}), written(Condition={"StringEquals": {"s3:prefix": "${x"}}),
    written(Extra=1), written(principal="*"),
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED, ids=[str(number) for number in range(len(MALFORMED))])
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    """With a sentence that can stand in any answer; nothing of the document takes effect."""
    with pytest.raises(MalformedPolicy) as raised:
        read_document(text, Kind.BUCKET, "b")
    assert raised.value.message.isascii()
    assert raised.value.message.isprintable()
    assert raised.value.message.endswith(".")
    assert len(raised.value.message) < 500


@pytest.mark.parametrize("bad", MALFORMED[-40:-2], ids=[str(number) for number in range(38)])
def test_one_bad_statement_refuses_them_all(bad: str) -> None:
    """There is no partial effect."""
    document = json.loads(bad)
    document["Statement"] = [STATEMENT, *document["Statement"], STATEMENT]
    with pytest.raises(MalformedPolicy, match="Statement 2"):
        read_policy(json.dumps(document), Kind.BUCKET, "b")


def test_a_document_that_is_cut_is_refused() -> None:
    """At whatever character."""
    text = written(Condition={"StringEquals": {"s3:prefix": ["a", "b"]}})
    assert read_document(text, Kind.BUCKET, "b").statements
    for end in range(len(text)):
        with pytest.raises(MalformedPolicy):
            read_document(text[:end], Kind.BUCKET, "b")


@given(
    documents=strategies.policies_and_contexts(),
    place=st.floats(0, 1, exclude_max=True),
    put=st.sampled_from('{}[]",:*x1 \\') | st.just(""),
)
def test_a_damaged_document_is_read_or_refused(documents, place, put) -> None:
    """Nothing else leaves the reader than a document or `MalformedPolicy`."""
    text = documents[0][0]
    at = int(place * len(text))
    try:
        assert read_document(text[:at] + put + text[at + 1 :], Kind.BUCKET, "b").statements
    except MalformedPolicy as error:
        assert error.message  # noqa: PT017 - either outcome is right


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["*", "Allow", "s3:*", "arn:aws:s3:::b"])
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["AWS", "StringEquals", "s3:prefix", "Effect"]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(statement=st.fixed_dictionaries({}, optional=dict.fromkeys([*STATEMENT, "Sid", "Condition", "NotAction"], _JSON)))
def test_any_json_is_read_or_refused(statement) -> None:
    """Whatever stands in the place of an element."""
    for kind, base in ((Kind.BUCKET, STATEMENT), (Kind.IDENTITY, OWN), (Kind.TRUST, TRUST)):
        text = json.dumps({"Version": "2012-10-17", "Statement": {**base, **statement}})
        try:
            assert read_document(text, kind, "b" if kind is Kind.BUCKET else None).statements
        except StorError as error:
            assert isinstance(error, MalformedPolicy | MalformedPolicyDocument)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "text",
    [
        written(OWN), written(OWN, Action=["iam:*AccessKey*", "lightningstor:GetUsage", "*"]), written(OWN, Resource="*"),
        written(OWN, Resource="arn:aws:iam:::user/${aws:username}"), written(OWN, Sid="98AB54CF"), json.dumps({"Statement": OWN}),
        written(OWN, Condition={"StringEquals": {"iam:ResourceTag/Department": "x", "localhost:8080/auth/realms/r:sub": "y"}}),
    ],
)  # fmt: skip
def test_what_an_identity_s_policy_may_say(text: str) -> None:
    """Actions, resources and keys of any service."""
    assert read_document(text, Kind.IDENTITY).statements[0].principals is None


@pytest.mark.parametrize(
    "text",
    [
        written(OWN, Principal="*"), written(OWN, NotPrincipal={"AWS": "1"}), json.dumps({"Id": "x", "Statement": OWN}),
        json.dumps({"Statement": [{**OWN, "Sid": "same"}, {**OWN, "Sid": "same"}]}), written(OWN, Sid="a b"),
        written(OWN, without="Resource"),
        written(OWN, Action="GetObject"), written(OWN, Resource="b"), written(OWN, Condition={"StringEquals": {"x": "y"}}),
        json.dumps({"Version": "2010-10-17", "Statement": OWN}), json.dumps({"Version": "2012-10-17"}),
    ],
)  # fmt: skip
def test_what_an_identity_s_policy_may_not_say(text: str) -> None:
    """IAM's own code; a principal is nobody but whom it is attached to, and Sids are told apart."""
    with pytest.raises(MalformedPolicyDocument):
        read_document(text, Kind.IDENTITY)


def test_who_may_assume_a_role() -> None:
    """Has principals and no resources, and speaks of STS alone."""
    condition = {"StringEquals": {"idp.example:sub": "x"}}
    statement = read_document(written(TRUST, Condition=condition), Kind.TRUST).statements[0]
    assert statement.principals == {"Federated arn:aws:iam::1:oidc-provider/idp.example"}
    assert statement.resources is None
    for text in (written(TRUST, Resource="*"), written(TRUST, Action="s3:GetObject"), written(TRUST, without="Principal")):
        with pytest.raises(MalformedPolicyDocument):
            read_document(text, Kind.TRUST)


def test_variables_come_with_their_version() -> None:
    """In the older language, which is the default, `${` is a text."""
    text = written(Resource="arn:aws:s3:::b/${", Condition={"StringEquals": {"s3:prefix": "${x"}})
    for version in ("2008-10-17", None):
        older = json.loads(text) | {"Version": version}
        if version is None:
            del older["Version"]
        assert read_document(json.dumps(older), Kind.BUCKET, "b").statements[0].resources == (("arn:aws:s3:::b/${",),)
