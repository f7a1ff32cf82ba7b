"""The policy of a bucket.

Law: a policy is read and checked when it is set, kept as it was put, and takes effect with the next
request. Only the project that owns the bucket has it in hand, and an owner of that project always,
so that no policy locks a bucket for good. Source: AWS, PutBucketPolicy, GetBucketPolicy,
DeleteBucketPolicy.
"""

from __future__ import annotations

from lightningstor_server.auth.policy import Policy, Verdict, read_policy
from lightningstor_server.auth.policy_documents import Kind
from lightningstor_server.auth.public_policies import is_public
from lightningstor_server.service.authorization import is_master
from lightningstor_server.service.configuring import configure
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import Permission, Route, Target, operation
from lightningstor_types import errors
from lightningstor_types.buckets import Bucket
from lightningstor_types.operations.common import Empty
from lightningstor_types.operations.policies import DeleteBucketPolicy, GetBucketPolicy, GetBucketPolicyResult, PutBucketPolicy
from lightningstor_types.settings import BucketPolicy

_PUT = "s3:PutBucketPolicy"


@operation(PutBucketPolicy, Route("PUT", Target.BUCKET, query=("policy",), status=204), action=_PUT)
async def put_bucket_policy(ctx: Context, request: PutBucketPolicy) -> Empty:
    """Replace the policy. AWS, PutBucketPolicy."""
    _check_project(ctx)
    policy = read_policy(request.policy, Kind.BUCKET, ctx.bucket.name)
    _check_public(ctx.bucket, policy)
    if not request.confirm_remove_self:
        _check_kept(ctx, policy)
    await configure(ctx, "policy", BucketPolicy(text=request.policy), lambda bucket: _check_public(bucket, policy))
    return Empty()


@operation(GetBucketPolicy, Route("GET", Target.BUCKET, query=("policy",)), action="s3:GetBucketPolicy")
async def get_bucket_policy(ctx: Context, _: GetBucketPolicy) -> GetBucketPolicyResult:
    """Read the policy. AWS, GetBucketPolicy."""
    _check_project(ctx)
    policy = ctx.bucket.settings.policy
    if policy is None:
        raise errors.NoSuchBucketPolicy(BucketName=ctx.bucket.name)
    return GetBucketPolicyResult(policy=policy.text)


@operation(DeleteBucketPolicy, Route("DELETE", Target.BUCKET, query=("policy",), status=204), action="s3:DeleteBucketPolicy")
async def delete_bucket_policy(ctx: Context, _: DeleteBucketPolicy) -> Empty:
    """Take the policy away. AWS, DeleteBucketPolicy."""
    _check_project(ctx)
    await configure(ctx, "policy", None)
    return Empty()


def _check_project(ctx: Context) -> None:
    """Refuse whom the policy itself lets in from another project.

    Raises:
        MethodNotAllowed: as AWS's pages have it of who is allowed, and not of the owner's account.
    """
    if ctx.anonymous or ctx.caller.project.id != ctx.bucket.project_id:
        raise errors.MethodNotAllowed


def _check_kept(ctx: Context, policy: Policy) -> None:
    """Refuse a policy that would deny its caller to change it again, unless that is confirmed; an owner is never denied it.

    Raises:
        AccessDenied: it would.
    """
    if is_master(ctx.caller, ctx.bucket):
        return
    said = ctx.inquiry.ask(policy, Permission(action=_PUT, bucket=ctx.bucket.name), ctx.bucket)
    if said.verdict is Verdict.DENY:
        raise errors.AccessDenied("The policy denies you to change it again; confirm that with x-amz-confirm-remove-self-bucket-access.")


def _check_public(bucket: Bucket, policy: Policy) -> None:
    """Refuse a public policy where the bucket blocks such.

    Raises:
        AccessDenied: as it says (AWS, "Blocking public access", BlockPublicPolicy).
    """
    block = bucket.settings.public_access_block
    if block is not None and block.block_public_policy and is_public(policy):
        raise errors.AccessDenied("Public access is blocked: the bucket takes no public policy.")
