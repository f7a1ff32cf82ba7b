-- name: version_bodies
SELECT v.bucket, v.key, v.revision, v.body FROM versions v
WHERE v.body <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = v.body)
-- name: part_bodies
SELECT p.upload, p.number, p.body FROM parts p WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = p.body)
-- name: orphaned_bodies
SELECT id FROM bodies WHERE id NOT IN (SELECT body FROM versions UNION ALL SELECT body FROM parts)
-- name: shared_bodies
SELECT body, count(*) FROM (SELECT body FROM versions WHERE body <> 0 UNION ALL SELECT body FROM parts) AS owners
GROUP BY body HAVING count(*) > 1
-- name: version_sizes
SELECT v.bucket, v.key, v.revision, v.size FROM versions v JOIN bodies b ON b.id = v.body
WHERE v.size <> COALESCE(length(b.inline), (SELECT COALESCE(SUM(p.length), 0) FROM pieces p WHERE p.body = b.id))
-- name: part_sizes
SELECT q.upload, q.number, q.size FROM parts q JOIN bodies b ON b.id = q.body
WHERE q.size <> COALESCE(length(b.inline), (SELECT COALESCE(SUM(p.length), 0) FROM pieces p WHERE p.body = b.id))
-- name: piece_order
SELECT body, start FROM (SELECT body, start, LAG(start + length, 1, 0) OVER (PARTITION BY body ORDER BY start) AS expected FROM pieces) AS places
WHERE start <> expected
-- name: piece_ranges
SELECT p.body, p.start, p.chunk FROM pieces p JOIN chunks c ON c.id = p.chunk
WHERE p.chunk_offset < 0 OR p.length <= 0 OR p.chunk_offset + p.length > c.length
-- name: dangling_pieces
SELECT p.body, p.start, p.chunk FROM pieces p WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = p.chunk)
-- name: unowned_chunks
SELECT c.id, c.directory FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM pieces p WHERE p.chunk = c.id)
-- name: doomed_chunks
SELECT c.id, c.directory FROM chunks c JOIN garbage g ON g.chunk = c.id
-- name: current_markers
SELECT bucket, key, revision FROM versions WHERE body = 0 AND (superseded IS NULL OR size <> 0)
-- name: late_currents
SELECT v.bucket, v.key, v.revision FROM versions v WHERE v.superseded IS NULL
AND EXISTS (SELECT 1 FROM versions w WHERE w.bucket = v.bucket AND w.key = v.key AND w.revision > v.revision)
-- name: lost_currents
SELECT v.bucket, v.key, v.revision FROM versions v WHERE v.superseded IS NOT NULL AND v.body <> 0
AND NOT EXISTS (SELECT 1 FROM versions w WHERE w.bucket = v.bucket AND w.key = v.key AND w.revision > v.revision)
-- name: future_revisions
SELECT v.bucket, v.key, v.revision FROM versions v JOIN buckets b ON b.id = v.bucket WHERE v.revision > b.revision
-- name: completed_parts
SELECT p.upload, p.number FROM parts p JOIN uploads u ON u.id = p.upload WHERE u.completed IS NOT NULL
-- name: usage
WITH sums AS (
    SELECT b.id, b.project, b.organisation,
        (SELECT count(*) FROM versions v WHERE v.bucket = b.id AND v.body <> 0) AS objects,
        (SELECT COALESCE(SUM(v.size), 0) FROM versions v WHERE v.bucket = b.id) AS bytes,
        (SELECT COALESCE(SUM(p.size), 0) FROM parts p JOIN uploads u ON u.id = p.upload WHERE u.bucket = b.id) AS uploads_bytes
    FROM buckets b
), scopes AS (
    SELECT 'b' || id AS scope, objects, bytes, uploads_bytes, 0 AS buckets FROM sums
    UNION ALL SELECT 'p' || p.id, COALESCE(SUM(objects), 0), COALESCE(SUM(bytes), 0), COALESCE(SUM(uploads_bytes), 0), count(s.id)
        FROM projects p LEFT JOIN sums s ON s.project = p.id GROUP BY p.id
    UNION ALL SELECT 'o' || o.id, COALESCE(SUM(objects), 0), COALESCE(SUM(bytes), 0), COALESCE(SUM(uploads_bytes), 0), count(s.id)
        FROM organisations o LEFT JOIN sums s ON s.organisation = o.id GROUP BY o.id
)
SELECT s.scope, s.objects, s.bytes, s.uploads_bytes, s.buckets FROM scopes s LEFT JOIN usage u ON u.scope = s.scope
WHERE COALESCE(u.objects, 0) <> s.objects OR COALESCE(u.bytes, 0) <> s.bytes OR COALESCE(u.uploads_bytes, 0) <> s.uploads_bytes
OR COALESCE(u.buckets, 0) <> s.buckets
-- name: strange_usage
SELECT u.scope FROM usage u WHERE u.scope NOT IN (
    SELECT 'b' || id FROM buckets UNION ALL SELECT 'p' || id FROM projects UNION ALL SELECT 'o' || id FROM organisations)
-- name: inline_bodies
SELECT id, inline, inline_sum FROM bodies WHERE inline IS NOT NULL
-- name: settings
SELECT bucket, name, document FROM settings
-- name: uploads
SELECT id, meta, acl FROM uploads
-- name: body_parts
SELECT id, part_sizes FROM bodies WHERE part_sizes IS NOT NULL
-- name: access_keys
SELECT id, secret FROM access_keys
-- name: configuration
SELECT value FROM configuration WHERE name = $1
-- name: chunks
SELECT id, directory, length, block_sums, format FROM chunks ORDER BY id
-- name: volume
SELECT count(*), COALESCE(SUM(length), 0) FROM chunks
-- name: known
SELECT EXISTS (SELECT 1 FROM chunks WHERE id = $1 AND directory = $2), EXISTS (SELECT 1 FROM garbage WHERE chunk = $1 AND directory = $2)
-- name: garbage
SELECT count(*) FROM garbage
-- name: counts
SELECT (SELECT count(*) FROM buckets), (SELECT count(*) FROM versions WHERE superseded IS NULL), (SELECT count(*) FROM versions),
    (SELECT count(*) FROM uploads WHERE completed IS NULL), (SELECT count(*) FROM chunks), (SELECT COALESCE(SUM(revision), 0) FROM buckets)
