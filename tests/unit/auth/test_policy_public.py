"""When a bucket's policy is public."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lightningstor_server.auth.policy import UNREADABLE, read_policy
from lightningstor_server.auth.policy_documents import Kind
from lightningstor_server.auth.public_policies import is_public


def public(**elements: Any) -> bool:
    """Whether a policy of one statement is; it allows everybody something unless it says otherwise."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"} | elements
    return is_public(read_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), Kind.BUCKET, "b"))


@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        ("*", True), ({"AWS": "*"}, True), ({"AWS": ["arn:aws:iam::1:root", "*"]}, True), ({"Federated": "graph.facebook.com"}, True),
        ({"AWS": "arn:aws:iam::1:root"}, False), ({"AWS": "1"}, False), ({"CanonicalUser": "c"}, False),
        ({"Service": "logging.s3.amazonaws.com"}, False), ({"AWS": "1", "Federated": "graph.facebook.com"}, True),
    ],
)  # fmt: skip
def test_named_principals_are_not_the_public(principal: Any, outcome: object) -> None:
    """Accounts, users, roles and services; whom an identity provider vouches for is anybody."""
    assert public(Principal=principal) is outcome
    assert public(Principal=principal, Effect="Deny") is False


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"StringLike": {"aws:SourceVpc": "vpc-*"}}, True),
        ({"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}, False),
        ({"StringLike": {"aws:SourceVpc": "vpc-91237329"}}, False),
        ({"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-?"]}}, True),
        ({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}, True),
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}, True),
        ({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
        ({"Null": {"aws:SourceVpc": "false"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::source"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, True),
        ({"StringEquals": {"AWS:SourceAccount": "1"}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::1:user/${aws:username}"}}, True),
        ({"StringLike": {"aws:userid": "AROLEID:*"}}, True),
        ({"StringEquals": {"aws:userid": "AIDA1"}}, False),
        ({"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "k"}}, False),
        ({"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:1:accesspoint/*"}}, False),
        ({"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:*:accesspoint/x"}}, True),
        ({"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2::accesspoint/x"}}, True),
        ({"StringEquals": {"aws:Referer": "http://www.example.com/"}}, True),
        ({"StringEquals": {"s3:ExistingObjectTag/class": "public"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"IpAddress": {"aws:SourceIp": "8.0.0.0/7"}}, True),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/1"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}, False),
        ({"IpAddress": {"aws:SourceIp": "2001::/31"}}, True),
        ({"IpAddress": {"aws:SourceIp": "::ffff:0.0.0.0/96"}}, True),
        ({"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/32"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/32"}}, True),
        ({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/32"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}, False),
    ],
)
def test_a_fixed_origin_is_not_the_public(condition: Any, outcome: object) -> None:
    """Values without wildcards and variables, narrow ranges, and only where a condition fails without its key."""
    assert public(Condition=condition) is outcome


def test_one_public_statement_makes_a_policy_public() -> None:
    """AWS, "How Amazon S3 evaluates a bucket policy that contains both public and non-public access grants"."""
    base = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    statements = [{**base, "Principal": {"AWS": "1"}}, {**base, "Effect": "Deny", "Principal": "*"}]
    assert not is_public(read_policy(json.dumps({"Statement": statements}), Kind.BUCKET, "b"))
    statements.append({**base, "Principal": "*"})
    assert is_public(read_policy(json.dumps({"Statement": statements}), Kind.BUCKET, "b"))


def test_what_cannot_be_read_is_not_public() -> None:
    """It lets nobody in; one that names nobody is public until shown otherwise."""
    assert not is_public(UNREADABLE)
    own = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    assert is_public(read_policy(json.dumps({"Statement": own}), Kind.IDENTITY))
