-- name: of_revision
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key = $2 AND revision = $3
-- name: noncurrent_null
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key = $2 AND version_id IS NULL AND superseded IS NOT NULL
-- name: latest
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key = $2 ORDER BY revision DESC LIMIT 1
-- name: supersede
UPDATE versions SET superseded = $1 WHERE bucket = $2 AND key = $3 AND superseded IS NULL
-- name: reinstate
UPDATE versions SET superseded = NULL WHERE bucket = $1 AND key = $2 AND body <> 0 AND revision =
    (SELECT max(revision) FROM versions WHERE bucket = $1 AND key = $2)
-- name: page
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key >= $2 AND (key > $2 OR revision < $3) ORDER BY key, revision DESC LIMIT $4
-- name: page_before
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key >= $2 AND (key > $2 OR revision < $3) AND key < $4 ORDER BY key, revision DESC LIMIT $5
