-- name: current
SELECT key, revision, version_id, generation, size, etag, modified, storage_class, sums, sum_type, parts_count, meta, acl, tags, lock, body
FROM versions WHERE bucket = $1 AND key = $2 AND superseded IS NULL
-- name: current_with_body
SELECT v.key, v.revision, v.version_id, v.generation, v.size, v.etag, v.modified, v.storage_class, v.sums, v.sum_type,
       v.parts_count, v.meta, v.acl, v.tags, v.lock, v.body, b.inline, b.inline_sum, b.part_sizes
FROM versions v JOIN bodies b ON b.id = v.body WHERE v.bucket = $1 AND v.key = $2 AND v.superseded IS NULL
-- name: insert
INSERT INTO versions (bucket, key, revision, version_id, superseded, generation, size, etag, modified, storage_class, sums, sum_type,
                      parts_count, meta, acl, tags, lock, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
-- name: remove
DELETE FROM versions WHERE bucket = $1 AND key = $2 AND revision = $3
-- name: describe
UPDATE versions SET meta = $1, acl = $2, tags = $3, lock = $4, storage_class = $5, generation = $6
WHERE bucket = $7 AND key = $8 AND revision = $9
-- name: page
SELECT key, size, etag, modified, storage_class, sums, sum_type, acl
FROM versions WHERE bucket = $1 AND superseded IS NULL AND key >= $2 ORDER BY key LIMIT $3
-- name: page_before
SELECT key, size, etag, modified, storage_class, sums, sum_type, acl
FROM versions WHERE bucket = $1 AND superseded IS NULL AND key >= $2 AND key < $3 ORDER BY key LIMIT $4
