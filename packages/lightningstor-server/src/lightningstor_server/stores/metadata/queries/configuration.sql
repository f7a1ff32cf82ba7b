-- name: generation
SELECT value FROM configuration WHERE name = 'generation'
-- name: bump
UPDATE configuration SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'generation'
-- name: get
SELECT value FROM configuration WHERE name = $1
-- name: set
INSERT INTO configuration (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: open_usage
INSERT INTO usage (scope) VALUES ($1) ON CONFLICT (scope) DO NOTHING
-- name: close_usage
DELETE FROM usage WHERE scope = $1
-- name: add_usage
UPDATE usage SET objects = objects + $1, bytes = bytes + $2, uploads_bytes = uploads_bytes + $3 WHERE scope IN ($4, $5, $6)
-- name: usage
SELECT objects, bytes, uploads_bytes FROM usage WHERE scope = $1
