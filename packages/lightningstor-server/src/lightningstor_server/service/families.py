"""All families of operations: importing this module fills the table.

Law: a family that is not named here does not exist.
"""

from __future__ import annotations

from lightningstor_server.service import bucket_settings, buckets, copying, listing, objects, reading, upload_listing, uploads

FAMILIES = (objects, reading, copying, uploads, upload_listing, listing, buckets, bucket_settings)
