-- name: create
INSERT INTO buckets (namespace, name, organisation, project, region, created, generation, revision, labels)
VALUES ($1, $2, $3, $4, $5, $6, 1, 0, '{}')
ON CONFLICT (namespace, name) DO NOTHING
RETURNING id
-- name: find
SELECT id, name, organisation, project, region, created, generation, labels FROM buckets WHERE namespace = $1 AND name = $2
-- name: page
SELECT id, name, organisation, project, region, created, generation, labels FROM buckets
WHERE project = $1 AND name > $2 AND substr(name, 1, length($3)) = $3
ORDER BY name LIMIT $4
-- name: holds_versions
SELECT EXISTS (SELECT 1 FROM versions WHERE bucket = $1)
-- name: delete
DELETE FROM buckets WHERE id = $1 RETURNING id
-- name: delete_completed_uploads
DELETE FROM uploads WHERE bucket = $1
-- name: advance
UPDATE buckets SET revision = revision + 1 WHERE id = $1 RETURNING revision
-- name: update
UPDATE buckets SET labels = $1, generation = generation + 1 WHERE id = $2 RETURNING id
