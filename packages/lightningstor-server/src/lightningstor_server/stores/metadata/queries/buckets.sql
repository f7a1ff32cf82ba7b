-- name: create
INSERT INTO buckets (namespace, name, organisation, project, region, created, generation, revision, labels)
VALUES ($1, $2, $3, $4, $5, $6, 1, 0, '{}')
ON CONFLICT (namespace, name) DO NOTHING
RETURNING id
-- name: find
SELECT b.id, b.name, b.organisation, b.project, b.region, b.created, b.generation, b.labels, p.canonical_id, p.display_name
FROM buckets b JOIN projects p ON p.id = b.project WHERE b.namespace = $1 AND b.name = $2
-- name: of_id
SELECT b.id, b.name, b.organisation, b.project, b.region, b.created, b.generation, b.labels, p.canonical_id, p.display_name
FROM buckets b JOIN projects p ON p.id = b.project WHERE b.id = $1
-- name: settings
SELECT name, document FROM settings WHERE bucket = $1
-- name: changed
UPDATE buckets SET generation = generation + 1 WHERE id = $1
-- name: put_setting
INSERT INTO settings (bucket, name, document) VALUES ($1, $2, $3) ON CONFLICT (bucket, name) DO UPDATE SET document = excluded.document
-- name: remove_setting
DELETE FROM settings WHERE bucket = $1 AND name = $2
-- name: remove_settings
DELETE FROM settings WHERE bucket = $1
-- name: page
SELECT b.id, b.name, b.organisation, b.project, b.region, b.created, b.generation, b.labels, p.canonical_id, p.display_name
FROM buckets b JOIN projects p ON p.id = b.project WHERE b.project = $1 AND b.name > $2 AND substr(b.name, 1, length($3)) = $3
ORDER BY b.name LIMIT $4
-- name: with_setting
SELECT b.id, b.name, b.organisation, b.project, b.region, b.created, b.generation, b.labels, p.canonical_id, p.display_name
FROM settings s JOIN buckets b ON b.id = s.bucket JOIN projects p ON p.id = b.project
WHERE s.name = $1 AND s.bucket > $2 ORDER BY s.bucket LIMIT $3
-- name: holds_versions
SELECT EXISTS (SELECT 1 FROM versions WHERE bucket = $1)
-- name: delete
DELETE FROM buckets WHERE id = $1 RETURNING id
-- name: delete_completed_uploads
DELETE FROM uploads WHERE bucket = $1
-- name: advance
UPDATE buckets SET revision = revision + 1 WHERE id = $1 RETURNING revision, generation
-- name: update
UPDATE buckets SET labels = $1, generation = generation + 1 WHERE id = $2 RETURNING id
