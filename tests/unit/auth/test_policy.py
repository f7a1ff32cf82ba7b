"""What policies say of requests, in the cases that AWS's guides describe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lightningstor_server.auth.patterns import context_key
from lightningstor_server.auth.policy import (
    ACTIONS_MAX,
    UNREADABLE,
    Decision,
    Request,
    Verdict,
    evaluate,
    read_policy,
    stored_policy,
)
from lightningstor_server.auth.policy_documents import Kind
from lightningstor_server.auth.principals import ANONYMOUS, Principal

ACCOUNT = "000000000001"
ROOT = Principal.of_account((ACCOUNT, "acme/shop"), "root", canonical_id="c1")
AL = Principal.of_account((ACCOUNT, "acme/shop"), "user/al", canonical_id="c1", unique_ids=("AIDAAL",))
OTHER = Principal.of_account(("000000000002",), "user/al", canonical_id="c2")
SESSION = Principal.of_account((ACCOUNT,), "assumed-role/ops/al", canonical_id="c1", role="role/ops")
LOGGING = Principal.of_service("logging.s3.amazonaws.com")
BUCKET = "arn:aws:s3:::b"
KEY = "arn:aws:s3:::b/key"
ALLOW, DENY, NEUTRAL = Verdict.ALLOW, Verdict.DENY, Verdict.NEUTRAL


def policy(*statements: Mapping[str, Any], kind: Kind = Kind.BUCKET) -> Any:
    """A policy of the bucket `b`, or an identity's; what a statement does not say is wide."""
    wide = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"} | ({"Principal": "*"} if kind is Kind.BUCKET else {})
    pairs = {"NotPrincipal": "Principal", "NotAction": "Action", "NotResource": "Resource"}
    made = [
        {name: value for name, value in wide.items() if name not in {pairs.get(other) for other in statement}} | dict(statement)
        for statement in statements
    ]
    return read_policy(json.dumps({"Version": "2012-10-17", "Statement": made}), kind, "b" if kind is Kind.BUCKET else None)


def decide(*policies: Any, who: Principal = ANONYMOUS, action: str = "s3:GetObject", resource: str = KEY, **context: Any) -> Decision:
    """What they say; a context's keys with `__` for their colon and `_` for their dashes."""
    keys = {context_key(key.replace("__", ":").replace("_", "-")): value for key, value in context.items()}
    values = {key: value if isinstance(value, tuple) else (value,) for key, value in keys.items()}
    return evaluate(policies, Request(principal=who, action=action, resource=resource, context=values))


def says(*policies: Any, **request: Any) -> Verdict:
    """The verdict alone."""
    return decide(*policies, **request).verdict


def test_nothing_is_said_where_nothing_applies() -> None:
    """No policy, and one about something else."""
    assert decide() == Decision(NEUTRAL)
    assert says(policy({"Action": "s3:PutObject"})) is NEUTRAL
    assert says(policy({"Resource": BUCKET})) is NEUTRAL
    assert says(policy({"Principal": {"AWS": ACCOUNT}})) is NEUTRAL


def test_a_denial_decides() -> None:
    """In whatever order, in whichever policy; the first that applies is named."""
    allow, deny = {"Sid": "yes"}, {"Sid": "no", "Effect": "Deny", "Action": "s3:Get*"}
    assert decide(policy(allow, deny)) == Decision(DENY, 0, 1, "no")
    assert decide(policy(deny, allow)) == Decision(DENY, 0, 0, "no")
    assert decide(policy(allow), policy(allow, deny)) == Decision(DENY, 1, 1, "no")
    assert decide(policy(allow), policy(allow, deny), action="s3:PutObject") == Decision(ALLOW, 0, 0, "yes")
    assert decide(policy({"Action": "s3:PutObject"}, allow)) == Decision(ALLOW, 0, 1, "yes")


def test_what_cannot_be_read_denies() -> None:
    """A stored policy that is none any more, or of another bucket; beside any that allows."""
    for text in ("", "{", '{"Version": "2030-01-01", "Statement": []}', "null"):
        assert stored_policy(text, Kind.BUCKET, "b") is UNREADABLE
    foreign = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::c/*"}})
    assert stored_policy(foreign, Kind.BUCKET, "b") is UNREADABLE
    assert stored_policy(foreign, Kind.BUCKET, "c") is stored_policy(foreign, Kind.BUCKET, "c") is not UNREADABLE
    assert decide(policy({}), UNREADABLE) == Decision(DENY, 1)
    assert says(UNREADABLE, who=ROOT, action="s3:DeleteBucketPolicy", resource=BUCKET) is DENY


def test_actions_have_no_case_and_resources_have() -> None:
    """AWS, "IAM JSON policy elements: Action" and "Resource"."""
    reads = policy({"Action": "S3:getobject", "Resource": "arn:aws:s3:::b/Key"})
    assert says(reads, resource="arn:aws:s3:::b/Key") is ALLOW
    assert says(reads, resource="arn:aws:s3:::b/key") is NEUTRAL
    assert says(policy({"Action": "s3:?etObject"}), action="S3:GETOBJECT") is ALLOW
    assert says(policy({"Action": "s3:Get*"}), action="s3:PutObject") is NEUTRAL
    assert says(policy({"NotAction": "s3:Put*"})) is ALLOW
    assert says(policy({"NotAction": ["s3:Put*", "s3:Get*"]})) is NEUTRAL


def test_a_bucket_is_not_what_is_in_it() -> None:
    """The bucket's ARN and that of its objects are two, and a wildcard goes through slashes."""
    objects = policy({"Resource": "arn:aws:s3:::b/*"})
    assert says(objects, resource="arn:aws:s3:::b/a/b//c") is ALLOW
    assert says(objects, action="s3:ListBucket", resource=BUCKET) is NEUTRAL
    assert says(policy({"Resource": BUCKET}), resource=BUCKET) is ALLOW
    assert says(policy({"Effect": "Deny", "NotResource": "arn:aws:s3:::b/open/*"}), resource=KEY) is DENY
    assert says(policy({"Effect": "Deny", "NotResource": "arn:aws:s3:::b/open/*"}), resource="arn:aws:s3:::b/open/x") is NEUTRAL


@pytest.mark.parametrize(
    ("listed", "those"),
    [
        ("*", "anonymous root al other session logging"),
        ({"AWS": "*"}, "anonymous root al other session"),
        ({"AWS": ACCOUNT}, "root al? session?"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "root al? session?"),
        ({"AWS": "acme/shop"}, "root al?"),
        ({"AWS": "arn:aws:iam::acme/shop:user/al"}, "al"),
        ({"CanonicalUser": "c1"}, "root al? session?"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/al"}, "al"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/Al"}, ""),
        ({"AWS": "AIDAAL"}, "al"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/ops"}, "session"),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/al"}, "session"),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/bo"}, ""),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:user/al", ACCOUNT], "CanonicalUser": "c2"}, "root al session? other?"),
        ({"Service": "logging.s3.amazonaws.com"}, "logging"),
        ({"Service": "logging.s3.amazonaws.comkaboom"}, ""),
        ({"Federated": "idp.example"}, ""),
    ],
)  # fmt: skip
def test_who_is_meant(listed: Any, those: str) -> None:
    """Everybody, everybody but services, an account (`?`: and so its people, as far as it lets them), or one of them."""
    everybody = {"anonymous": ANONYMOUS, "root": ROOT, "al": AL, "other": OTHER, "session": SESSION, "logging": LOGGING}
    decisions = {name: decide(policy({"Principal": listed}), who=who) for name, who in everybody.items()}
    allowed = [name + "?" * decision.delegated for name, decision in decisions.items() if decision.verdict is ALLOW]
    assert sorted(allowed) == sorted(those.split())
    denied = [name for name, who in everybody.items() if says(policy({"Effect": "Deny", "Principal": listed}), who=who) is DENY]
    assert sorted(denied) == sorted(those.replace("?", "").split())
    if listed != "*":
        spared = policy({"Effect": "Deny", "NotPrincipal": listed})
        assert sorted(name for name, who in everybody.items() if says(spared, who=who) is NEUTRAL) == sorted(denied)


def test_one_s_own_name_goes_before_the_account_s() -> None:
    """Where both are allowed it is not the account's own policies that decide."""
    account, own = (
        {"Sid": "account", "Principal": {"AWS": ACCOUNT}},
        {"Sid": "own", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/al"}},
    )
    assert decide(policy(account, own), who=AL) == Decision(ALLOW, 0, 1, "own")
    assert decide(policy(account), policy(own), who=AL) == Decision(ALLOW, 1, 0, "own")
    assert decide(policy(account, account), who=AL) == Decision(ALLOW, 0, 0, "account", delegated=True)


def test_an_identity_s_policy_is_about_whoever_has_it() -> None:
    """It names nobody."""
    assert decide(policy({}, kind=Kind.IDENTITY), who=AL) == Decision(ALLOW, 0, 0)


def test_a_home_for_each_user() -> None:
    """AWS, "Amazon S3: Allows IAM users access to their S3 home directory"."""
    home = policy(
        {
            "Action": "s3:ListBucket",
            "Resource": BUCKET,
            "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}},
        },
        {"Action": "s3:*", "Resource": ["arn:aws:s3:::b/home/${aws:username}", "arn:aws:s3:::b/home/${aws:username}/*"]},
        kind=Kind.IDENTITY,
    )
    listing = {"action": "s3:ListBucket", "resource": BUCKET, "aws__username": "al"}
    assert [says(home, **listing, s3__prefix=prefix) for prefix in ("", "home/", "home/al/", "home/al/x", "home/bo/", "x")] == (
        [ALLOW] * 4 + [NEUTRAL] * 2
    )
    assert says(home, **listing) is NEUTRAL
    assert says(home, resource="arn:aws:s3:::b/home/al/x", aws__username="al") is ALLOW
    assert says(home, resource="arn:aws:s3:::b/home/bo/x", aws__username="al") is NEUTRAL
    assert says(home, resource="arn:aws:s3:::b/home/bo/x", aws__username="*") is NEUTRAL
    assert says(home, resource="arn:aws:s3:::b/home//x") is NEUTRAL


def test_a_variable_without_a_value_allows_nothing() -> None:
    """Neither as a resource nor as what is left out of them; and what is left out of a denial stays denied."""
    own = "arn:aws:s3:::b/${aws:username}"
    assert says(policy({"Resource": own}), resource="arn:aws:s3:::b/") is NEUTRAL
    assert says(policy({"NotResource": own})) is NEUTRAL
    assert says(policy({"NotResource": own}), aws__username="al") is ALLOW
    assert says(policy({"Effect": "Deny", "NotResource": own})) is DENY
    assert says(policy({"Effect": "Deny", "NotResource": [own, KEY]})) is NEUTRAL


def test_encryption_and_transport_are_demanded() -> None:
    """AWS, "Bucket policy examples": no upload without encryption, of another kind, or in the clear."""
    demands = policy(
        {},
        {"Effect": "Deny", "Action": "s3:PutObject", "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}}},
        {"Effect": "Deny", "Action": "s3:PutObject", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}},
        {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    )
    put = {"action": "s3:PutObject", "aws__SecureTransport": "true"}
    assert decide(demands, **put).statement == 1
    assert decide(demands, **put, s3__x_amz_server_side_encryption="aws:kms").statement == 2
    assert says(demands, **put, s3__x_amz_server_side_encryption="AES256") is ALLOW
    assert says(demands, aws__SecureTransport="true") is ALLOW
    assert decide(demands, aws__SecureTransport="false").statement == 3


def test_conditions_are_all_demanded() -> None:
    """Operators, and keys of one operator; values are alternatives (AWS, "Conditions with multiple context keys or values")."""
    both = policy(
        {"Condition": {"StringEquals": {"s3:prefix": ["a", "b"], "s3:delimiter": "/"}, "NumericLessThanEquals": {"s3:max-keys": 10}}}
    )
    assert says(both, s3__prefix="b", s3__delimiter="/", s3__max_keys="10") is ALLOW
    assert says(both, s3__prefix="b", s3__delimiter="/", s3__max_keys="11") is NEUTRAL
    assert says(both, s3__prefix="b", s3__delimiter="-", s3__max_keys="1") is NEUTRAL
    assert says(both, s3__prefix="c", s3__delimiter="/", s3__max_keys="1") is NEUTRAL
    assert says(both, s3__prefix="a", s3__delimiter="/") is NEUTRAL


def test_addresses_are_admitted_and_excluded() -> None:
    """AWS, "Managing access based on specific IP addresses"; a text of several addresses is none of them."""
    office = policy(
        {
            "Condition": {
                "IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]},
                "NotIpAddress": {"aws:SourceIp": "192.0.2.188/32"},
            }
        }
    )
    assert says(office, aws__SourceIp="192.0.2.1") is ALLOW
    assert says(office, aws__SourceIp="2001:db8::7") is ALLOW
    assert says(office, aws__SourceIp="192.0.2.188") is NEUTRAL
    assert says(office, aws__SourceIp="::ffff:192.0.2.188") is NEUTRAL
    assert says(office, aws__SourceIp="192.0.2.1, 192.0.2.2") is NEUTRAL
    assert says(office) is NEUTRAL


def test_tags_of_a_request_are_limited() -> None:
    """AWS, "Tagging and access control policies"; RustFS GHSA-v9cp: a negated operator under ForAllValues wants every value outside."""
    limited = policy({"Condition": {"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["Owner", "Created*"]}}})
    assert says(limited, s3__RequestObjectTagKeys=("Owner", "CreatedAt")) is ALLOW
    assert says(limited, s3__RequestObjectTagKeys=("Owner", "Secret")) is NEUTRAL
    assert says(limited) is ALLOW
    outside = policy({"Effect": "Deny", "Condition": {"ForAllValues:StringNotEquals": {"s3:RequestObjectTagKeys": ["Owner"]}}})
    assert says(outside, s3__RequestObjectTagKeys=("Secret", "Other")) is DENY
    assert says(outside, s3__RequestObjectTagKeys=("Secret", "Owner")) is NEUTRAL


def test_the_delivery_of_access_logs() -> None:
    """AWS, "Enabling Amazon S3 server access logging": the service, for one bucket of one account."""
    delivery = policy(
        {
            "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/log/*",
            "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::source"}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
    )  # fmt: skip
    put = {"who": LOGGING, "action": "s3:PutObject", "resource": "arn:aws:s3:::b/log/x", "aws__SourceAccount": ACCOUNT}
    assert says(delivery, **put, aws__SourceArn="arn:aws:s3:::source") is ALLOW
    assert says(delivery, **put, aws__SourceArn="arn:aws:s3:::other") is NEUTRAL
    assert says(delivery, **put | {"aws__SourceAccount": "000000000002"}, aws__SourceArn="arn:aws:s3:::source") is NEUTRAL
    assert says(delivery, **put | {"who": ROOT}, aws__SourceArn="arn:aws:s3:::source") is NEUTRAL


def test_who_may_assume_a_role() -> None:
    """Somebody of whom the provider says so."""
    statement = {
        "Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/idp"}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"idp:sub": "al"}},
    }  # fmt: skip
    trust = read_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), Kind.TRUST)
    request = {"action": "sts:AssumeRoleWithWebIdentity", "resource": "arn:aws:iam::1:role/r"}
    assert says(trust, **request, who=Principal.of_provider("arn:aws:iam::1:oidc-provider/idp"), idp__sub="al") is ALLOW
    assert says(trust, **request, who=Principal.of_provider("arn:aws:iam::1:oidc-provider/idp"), idp__sub="bo") is NEUTRAL
    assert says(trust, **request, who=Principal.of_provider("arn:aws:iam::1:oidc-provider/other"), idp__sub="al") is NEUTRAL


def test_no_request_makes_a_policy_grow_without_end() -> None:
    """It keeps what it found for so many actions, and answers for others all the same."""
    some = policy({"Action": "s3:Get*"})
    for number in range(ACTIONS_MAX + 10):
        assert says(some, action=f"s3:Get{number}") is ALLOW
        assert says(some, action=f"s3:Put{number}") is NEUTRAL
    assert len(some._about) == ACTIONS_MAX
