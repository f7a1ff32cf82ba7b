"""What the client can do: a typed method for every rpc, and transfers made of them.

Law: a list. Each face of the client has all of it.
"""

from __future__ import annotations

from lightningstor_api import downloads, listings
from lightningstor_api import uploads as transfers
from lightningstor_api.calls import Calls
from lightningstor_api.faces import Both, ReadRpc, Rpc, Streamed
from lightningstor_types.operations import (
    attributes,
    buckets,
    common,
    copying,
    listing,
    objects,
    principals,
    quotas,
    retention,
    tagging,
    tenants,
    tokens,
    upload_listing,
    uploads,
    versioning,
)


class Surface:
    """The methods of both faces."""

    call = Both(Calls.call)

    upload = Both(transfers.upload)
    download = Both(downloads.download)
    read = Both(downloads.read)
    stream = Streamed(downloads.stream)
    iter_objects = Streamed(listings.iter_objects)

    create_bucket = Rpc(buckets.CreateBucket, buckets.CreateBucketResult)
    get_bucket = Rpc(buckets.GetBucket, buckets.BucketDescription)
    list_buckets = Rpc(buckets.ListBuckets, buckets.ListBucketsResult)
    update_bucket = Rpc(buckets.UpdateBucket, buckets.BucketDescription)
    set_versioning = Rpc(versioning.PutBucketVersioning, common.Empty)
    get_versioning = Rpc(versioning.GetBucketVersioning, versioning.VersioningConfiguration)
    set_bucket_tags = Rpc(tagging.PutBucketTagging, common.Empty)
    get_bucket_tags = Rpc(tagging.GetBucketTagging, tagging.GetBucketTaggingResult)
    delete_bucket_tags = Rpc(tagging.DeleteBucketTagging, common.Empty)
    set_object_lock = Rpc(retention.PutObjectLockConfiguration, common.Empty)
    get_object_lock = Rpc(retention.GetObjectLockConfiguration, retention.ObjectLockConfiguration)
    delete_bucket = Rpc(buckets.DeleteBucket, common.Empty)
    get_usage = Rpc(buckets.GetUsage, buckets.GetUsageResult)
    write_object = Rpc(objects.PutObject, objects.PutObjectResult)
    read_object = ReadRpc(objects.GetObject, objects.GetObjectResult)
    head_object = Rpc(objects.HeadObject, objects.HeadObjectResult)
    get_object_attributes = Rpc(attributes.GetObjectAttributes, attributes.GetObjectAttributesResult)
    list_objects = Rpc(listing.ListObjectsV2, listing.ListObjectsV2Result)
    list_object_versions = Rpc(listing.ListObjectVersions, listing.ListObjectVersionsResult)
    update_object = Rpc(objects.UpdateObject, objects.UpdateObjectResult)
    set_object_tags = Rpc(tagging.PutObjectTagging, tagging.PutObjectTaggingResult)
    get_object_tags = Rpc(tagging.GetObjectTagging, tagging.GetObjectTaggingResult)
    delete_object_tags = Rpc(tagging.DeleteObjectTagging, tagging.DeleteObjectTaggingResult)
    set_retention = Rpc(retention.PutObjectRetention, common.Empty)
    get_retention = Rpc(retention.GetObjectRetention, retention.ObjectRetention)
    set_legal_hold = Rpc(retention.PutObjectLegalHold, common.Empty)
    get_legal_hold = Rpc(retention.GetObjectLegalHold, retention.ObjectLegalHold)
    delete_object = Rpc(objects.DeleteObject, objects.DeleteObjectResult)
    delete_objects = Rpc(objects.DeleteObjects, objects.DeleteObjectsResult)
    copy_object = Rpc(copying.CopyObject, copying.CopyObjectResult)
    start_upload = Rpc(uploads.CreateMultipartUpload, uploads.CreateMultipartUploadResult)
    write_part = Rpc(uploads.UploadPart, uploads.UploadPartResult)
    copy_part = Rpc(copying.UploadPartCopy, copying.UploadPartCopyResult)
    list_parts = Rpc(upload_listing.ListParts, upload_listing.ListPartsResult)
    list_uploads = Rpc(upload_listing.ListMultipartUploads, upload_listing.ListMultipartUploadsResult)
    query_upload = Rpc(uploads.QueryUpload, uploads.QueryUploadResult)
    complete_upload = Rpc(uploads.CompleteMultipartUpload, uploads.CompleteMultipartUploadResult)
    cancel_upload = Rpc(uploads.AbortMultipartUpload, common.Empty)
    issue_token = Rpc(tokens.IssueToken, tokens.IssueTokenResult)

    create_organisation = Rpc(tenants.CreateOrganisation, tenants.OrganisationDescription)
    list_organisations = Rpc(tenants.ListOrganisations, tenants.ListOrganisationsResult)
    delete_organisation = Rpc(tenants.DeleteOrganisation, common.Empty)
    create_project = Rpc(tenants.CreateProject, tenants.ProjectDescription)
    list_projects = Rpc(tenants.ListProjects, tenants.ListProjectsResult)
    update_project = Rpc(tenants.UpdateProject, tenants.ProjectDescription)
    delete_project = Rpc(tenants.DeleteProject, common.Empty)
    create_principal = Rpc(principals.CreatePrincipal, principals.PrincipalDescription)
    set_role = Rpc(principals.SetRole, principals.PrincipalDescription)
    list_principals = Rpc(principals.ListPrincipals, principals.ListPrincipalsResult)
    delete_principal = Rpc(principals.DeletePrincipal, common.Empty)
    create_access_key = Rpc(principals.CreateAccessKey, principals.CreateAccessKeyResult)
    list_access_keys = Rpc(principals.ListAccessKeys, principals.ListAccessKeysResult)
    revoke_access_key = Rpc(principals.RevokeAccessKey, common.Empty)
    delete_access_key = Rpc(principals.DeleteAccessKey, common.Empty)
    set_quota = Rpc(quotas.SetQuota, common.Empty)
    get_tenant_usage = Rpc(quotas.GetTenantUsage, quotas.TenantUsage)
