-- name: generation
SELECT value FROM configuration WHERE name = 'generation'
-- name: bump
UPDATE configuration SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'generation'
-- name: get
SELECT value FROM configuration WHERE name = $1
-- name: set
INSERT INTO configuration (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
