-- name: key
SELECT k.id, k.secret, k.active, k.created, n.name, n.role,
    p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM access_keys k JOIN principals n ON n.id = k.principal JOIN projects p ON p.id = n.project JOIN organisations o ON o.id = p.organisation
WHERE k.id = $1
-- name: page
SELECT k.id, k.secret, k.active, k.created, n.name, n.role,
    p.id, p.organisation, o.name, p.name, p.display_name, p.email, p.canonical_id, p.created
FROM principals n JOIN access_keys k ON k.principal = n.id JOIN projects p ON p.id = n.project JOIN organisations o ON o.id = p.organisation
WHERE n.project = $1 AND n.name = COALESCE($2, n.name) AND k.id > $3 ORDER BY k.id LIMIT $4
-- name: put
INSERT INTO access_keys (id, principal, secret, active, created) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET principal = excluded.principal, secret = excluded.secret, active = excluded.active
-- name: delete
DELETE FROM access_keys WHERE id = $1
-- name: active
SELECT EXISTS (
    SELECT 1 FROM principals n JOIN access_keys k ON k.principal = n.id
    WHERE n.project = $1 AND n.name = COALESCE($2, n.name) AND n.role = COALESCE($3, n.role) AND k.active = 1
)
-- name: put_principal
INSERT INTO principals (project, name, role, created) VALUES ($1, $2, $3, $4)
ON CONFLICT (project, name) DO UPDATE SET role = excluded.role RETURNING id
-- name: principal
SELECT name, role, created FROM principals WHERE project = $1 AND name = $2
-- name: principals
SELECT name, role, created FROM principals WHERE project = $1 AND name > $2 ORDER BY name LIMIT $3
-- name: delete_keys
DELETE FROM access_keys WHERE principal = (SELECT id FROM principals WHERE project = $1 AND name = $2)
-- name: delete_principal
DELETE FROM principals WHERE project = $1 AND name = $2
