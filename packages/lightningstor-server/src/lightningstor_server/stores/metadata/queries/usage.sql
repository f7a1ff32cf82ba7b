-- name: open
INSERT INTO usage (scope) VALUES ($1) ON CONFLICT (scope) DO NOTHING
-- name: close
DELETE FROM usage WHERE scope = $1
-- name: add
UPDATE usage SET objects = objects + $1, bytes = bytes + $2, uploads_bytes = uploads_bytes + $3,
    buckets = buckets + CASE scope WHEN $4 THEN 0 ELSE $5 END
WHERE scope IN ($4, $6, $7)
RETURNING scope, objects, bytes, uploads_bytes, buckets, objects_max, bytes_max, buckets_max
-- name: get
SELECT scope, objects, bytes, uploads_bytes, buckets, objects_max, bytes_max, buckets_max FROM usage WHERE scope = $1
-- name: limit
INSERT INTO usage (scope, objects_max, bytes_max, buckets_max) VALUES ($1, $2, $3, $4)
ON CONFLICT (scope) DO UPDATE SET objects_max = excluded.objects_max, bytes_max = excluded.bytes_max, buckets_max = excluded.buckets_max
-- name: limits
SELECT 1 FROM usage WHERE scope IN ($1, $2, $3) AND COALESCE(objects_max, bytes_max, buckets_max) IS NOT NULL LIMIT 1
-- name: largest
SELECT o.name, p.name, u.objects, u.bytes, u.uploads_bytes, u.buckets
FROM (SELECT scope, objects, bytes, uploads_bytes, buckets FROM usage
    WHERE scope >= 'p' AND scope < 'q' ORDER BY bytes DESC, scope LIMIT $1) AS u
JOIN projects p ON p.id = CAST(substr(u.scope, 2) AS BIGINT)
JOIN organisations o ON o.id = p.organisation
UNION ALL
SELECT o.name, NULL, u.objects, u.bytes, u.uploads_bytes, u.buckets
FROM (SELECT scope, objects, bytes, uploads_bytes, buckets FROM usage
    WHERE scope >= 'o' AND scope < 'p' ORDER BY bytes DESC, scope LIMIT $1) AS u
JOIN organisations o ON o.id = CAST(substr(u.scope, 2) AS BIGINT)
