-- name: create
INSERT INTO uploads (id, bucket, key, ordinal, initiated, storage_class, checksum_algorithm, checksum_type, meta, acl, tags, lock, initiator)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
-- name: get
SELECT id, bucket, key, ordinal, initiated, storage_class, checksum_algorithm, checksum_type, meta, acl, tags, lock, initiator, completed
FROM uploads WHERE id = $1 AND bucket = $2 AND key = $3
-- name: complete
UPDATE uploads SET completed = $1, completed_at = $2 WHERE id = $3
-- name: delete
DELETE FROM uploads WHERE id = $1
-- name: page
SELECT id, bucket, key, ordinal, initiated, storage_class, checksum_algorithm, checksum_type, meta, acl, tags, lock, initiator, completed
FROM uploads WHERE bucket = $1 AND completed IS NULL AND (key > $2 OR (key = $2 AND ordinal > $3)) ORDER BY key, ordinal LIMIT $4
-- name: page_before
SELECT id, bucket, key, ordinal, initiated, storage_class, checksum_algorithm, checksum_type, meta, acl, tags, lock, initiator, completed
FROM uploads WHERE bucket = $1 AND completed IS NULL AND (key > $2 OR (key = $2 AND ordinal > $3)) AND key < $4
ORDER BY key, ordinal LIMIT $5
-- name: part
SELECT number, size, etag, sums, modified, body FROM parts WHERE upload = $1 AND number = $2
-- name: put_part
INSERT INTO parts (upload, number, size, etag, sums, modified, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (upload, number) DO UPDATE SET size = excluded.size, etag = excluded.etag, sums = excluded.sums,
    modified = excluded.modified, body = excluded.body
-- name: parts
SELECT number, size, etag, sums, modified, body FROM parts WHERE upload = $1 AND number > $2 ORDER BY number LIMIT $3
-- name: remove_parts
DELETE FROM parts WHERE upload = $1
-- name: forget_completed
DELETE FROM uploads WHERE completed_at < $1
