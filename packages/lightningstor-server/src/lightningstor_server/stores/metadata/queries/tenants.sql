-- name: key
SELECT k.id, k.secret, k.active, n.name, n.role, p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id
FROM access_keys k JOIN principals n ON n.id = k.principal JOIN projects p ON p.id = n.project JOIN organisations o ON o.id = p.organisation
WHERE k.id = $1
-- name: keys
SELECT k.id, k.secret, k.active, n.name, n.role, p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id
FROM access_keys k JOIN principals n ON n.id = k.principal JOIN projects p ON p.id = n.project JOIN organisations o ON o.id = p.organisation
WHERE p.id = $1 ORDER BY k.id
-- name: put_organisation
INSERT INTO organisations (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
-- name: put_project
INSERT INTO projects (organisation, name, display_name, email, canonical_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organisation, name) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
    canonical_id = excluded.canonical_id
RETURNING id
-- name: project
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE o.name = $1 AND p.name = $2
-- name: project_by_id
SELECT p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id
FROM projects p JOIN organisations o ON o.id = p.organisation WHERE p.id = $1
-- name: put_principal
INSERT INTO principals (project, name, role) VALUES ($1, $2, $3)
ON CONFLICT (project, name) DO UPDATE SET role = excluded.role RETURNING id
-- name: put_key
INSERT INTO access_keys (id, principal, secret, active) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET principal = excluded.principal, secret = excluded.secret, active = excluded.active
