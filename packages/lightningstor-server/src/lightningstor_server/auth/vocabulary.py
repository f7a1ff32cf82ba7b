"""The names that bucket policies may use: S3's actions and the keys of a request's context.

Law: a bucket policy with a name that is not here is refused, since a `Deny` under a name that was
mistyped would protect nothing. The tables hold AWS's names, also of what this server never does or
never knows, so that a policy written for AWS can be put. Source: AWS, "Actions, resources, and
condition keys for Amazon S3" and "AWS global condition context keys".
"""

from __future__ import annotations

from typing import Final

from lightningstor_server.auth.patterns import compile_pattern, context_key, read_pattern

_READ: Final = (
    "GetAccelerateConfiguration", "GetAnalyticsConfiguration", "GetBucketAbac", "GetBucketAcl", "GetBucketCORS", "GetBucketLocation",
    "GetBucketLogging", "GetBucketMetadataTableConfiguration", "GetBucketNotification", "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls", "GetBucketPolicy", "GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketRequestPayment",
    "GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite", "GetEncryptionConfiguration", "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration", "GetLifecycleConfiguration", "GetMetricsConfiguration", "GetReplicationConfiguration",
    "ListBucket", "ListBucketMultipartUploads", "ListBucketVersions", "ListTagsForResource",
    "GetObject", "GetObjectAcl", "GetObjectAnnotation", "GetObjectAttributes", "GetObjectLegalHold", "GetObjectRetention",
    "GetObjectTagging", "GetObjectTorrent", "GetObjectVersion", "GetObjectVersionAcl", "GetObjectVersionAnnotation",
    "GetObjectVersionAnnotationForReplication", "GetObjectVersionAttributes", "GetObjectVersionForReplication", "GetObjectVersionTagging",
    "GetObjectVersionTorrent", "ListMultipartUploadParts", "ListObjectAnnotations", "ListObjectVersionAnnotations",
)  # fmt: skip
_WRITE: Final = (
    "AllowVendedLogDeliveryForResource", "CreateBucket", "CreateBucketMetadataTableConfiguration", "DeleteBucket",
    "DeleteBucketMetadataTableConfiguration", "DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucketPublicAccessBlock",
    "DeleteBucketTagging", "DeleteBucketWebsite", "PauseReplication", "PutAccelerateConfiguration", "PutAnalyticsConfiguration",
    "PutBucketAbac", "PutBucketAcl", "PutBucketCORS", "PutBucketLogging", "PutBucketNotification", "PutBucketObjectLockConfiguration",
    "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketRequestPayment", "PutBucketTagging",
    "PutBucketVersioning", "PutBucketWebsite", "PutEncryptionConfiguration", "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration", "PutLifecycleConfiguration", "PutMetricsConfiguration", "PutReplicationConfiguration", "TagResource",
    "UntagResource", "UpdateBucketMetadataAnnotationTableConfiguration", "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
    "AbortMultipartUpload", "BypassGovernanceRetention", "DeleteObject", "DeleteObjectAnnotation", "DeleteObjectTagging",
    "DeleteObjectVersion", "DeleteObjectVersionAnnotation", "DeleteObjectVersionTagging", "InitiateReplication",
    "ObjectOwnerOverrideToBucketOwner", "PutObject", "PutObjectAcl", "PutObjectAnnotation", "PutObjectLegalHold", "PutObjectRetention",
    "PutObjectTagging", "PutObjectVersionAcl", "PutObjectVersionAnnotation", "PutObjectVersionTagging", "RenameObject", "ReplicateDelete",
    "ReplicateObject", "ReplicateTags", "RestoreObject", "UpdateObjectEncryption",
)  # fmt: skip
S3_ACTIONS: Final = frozenset(f"s3:{name}" for name in (*_READ, *_WRITE))
"""What can be done with a bucket or something in it. (`ListAllMyBuckets` is done with no bucket.)"""
_FOLDED_ACTIONS: Final = tuple(action.lower() for action in sorted(S3_ACTIONS))

FILLED_KEYS: Final = (
    # what a request to this server may have
    "aws:CurrentTime", "aws:EpochTime", "aws:FederatedProvider", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName", "aws:PrincipalType", "aws:Referer", "aws:RequestedRegion", "aws:ResourceAccount", "aws:RoleSessionName",
    "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceIp", "aws:TokenIssueTime",
    "aws:UserAgent", "aws:userid", "aws:username",
    "s3:authType", "s3:delimiter", "s3:if-match", "s3:if-none-match", "s3:locationconstraint", "s3:max-keys",
    "s3:object-lock-legal-hold", "s3:object-lock-mode", "s3:object-lock-remaining-retention-days", "s3:object-lock-retain-until-date",
    "s3:ObjectCreationOperation", "s3:prefix", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion",
    "s3:VersionId", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class", "s3:x-amz-website-redirect-location",
)  # fmt: skip
MULTIVALUED_KEYS: Final = (
    "aws:CalledVia", "aws:PrincipalOrgPaths", "aws:PrincipalServiceNamesList", "aws:ResourceOrgPaths", "aws:SourceOrgPaths", "aws:TagKeys",
    "s3:InventoryAccessibleOptionalFields", "s3:RequestObjectTagKeys",
)  # fmt: skip
"""What has a value for each of several things; the others have one value or none."""
ABSENT_KEYS: Final = (
    # what AWS knows of a request and this server does not: its networks, organisations, access points and services
    "aws:AssumedRoot", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:ChatbotSourceArn", "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc", "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalOrgID", "aws:ResourceOrgID",
    "aws:SourceInstanceARN", "aws:SourceOrgID", "aws:SourceOwner", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce",
    "aws:ViaAWSService", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp",
    "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:annotation-prefix", "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn", "s3:destinationRegion", "s3:isReplicationPauseRequest", "s3:max-annotation-results",
    "s3:x-amz-bucket-namespace", "s3:x-amz-object-annotation-directive", "s3:x-amz-object-if-match",
)  # fmt: skip
TAG_KEYS: Final = (
    # what a tag's key follows
    "aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/", "s3:AccessPointTag/", "s3:BucketTag/", "s3:ExistingObjectTag/",
    "s3:RequestObjectTag/", "s3:ResourceTag/",
)  # fmt: skip
_KNOWN_KEYS: Final = frozenset(context_key(key) for key in (*FILLED_KEYS, *MULTIVALUED_KEYS, *ABSENT_KEYS))
_KNOWN_TAG_KEYS: Final = tuple(context_key(key) for key in TAG_KEYS)


def names_an_action(pattern: str) -> bool:
    """Whether an action of a policy, which may have wildcards, is one of S3's at least."""
    matches = compile_pattern(read_pattern(pattern.lower(), variables=False))
    return any(matches(action) for action in _FOLDED_ACTIONS)


def is_context_key(name: str) -> bool:
    """Whether a key can be that of a request to S3."""
    key = context_key(name)
    return key in _KNOWN_KEYS or any(key.startswith(family) and key != family for family in _KNOWN_TAG_KEYS)
