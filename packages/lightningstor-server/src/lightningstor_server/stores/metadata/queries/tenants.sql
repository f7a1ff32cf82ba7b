-- name: put_organisation
INSERT INTO organisations (name, created) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
-- name: create_organisation
INSERT INTO organisations (name, created) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id
-- name: organisation
SELECT id, name, created FROM organisations WHERE name = $1
-- name: organisations
SELECT id, name, created FROM organisations WHERE name > $1 ORDER BY name LIMIT $2
-- name: delete_organisation
DELETE FROM organisations WHERE id = $1
-- name: put_project
INSERT INTO projects (organisation, name, display_name, email, canonical_id, created) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (organisation, name) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
    canonical_id = excluded.canonical_id
RETURNING id
-- name: project
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE o.name = $1 AND p.name = $2
-- name: project_by_id
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE p.id = $1
-- name: project_by_canonical_id
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE p.canonical_id = $1
-- name: projects_by_email
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE p.email = $1 ORDER BY p.id LIMIT 2
-- name: projects
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE p.organisation = $1 AND p.name > $2 ORDER BY p.name LIMIT $3
-- name: delete_keys
DELETE FROM access_keys WHERE principal IN (SELECT id FROM principals WHERE project = $1)
-- name: delete_principals
DELETE FROM principals WHERE project = $1
-- name: delete_project
DELETE FROM projects WHERE id = $1
