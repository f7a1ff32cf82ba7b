-- name: add_inline
INSERT INTO bodies (inline, inline_sum) VALUES ($1, $2) RETURNING id
-- name: add
INSERT INTO bodies (part_sizes) VALUES ($1) RETURNING id
-- name: get
SELECT inline, inline_sum, part_sizes FROM bodies WHERE id = $1
-- name: add_chunk
INSERT INTO chunks (id, directory, length, block_sums, format) VALUES ($1, $2, $3, $4, $5)
-- name: condemned
SELECT 1 FROM condemned WHERE chunk = $1
-- name: condemn
INSERT INTO condemned (chunk) VALUES ($1) ON CONFLICT (chunk) DO NOTHING
-- name: add_piece
INSERT INTO pieces (body, start, chunk, chunk_offset, length) VALUES ($1, $2, $3, $4, $5)
-- name: pieces
SELECT p.start, p.chunk_offset, p.length, c.id, c.directory, c.length, c.block_sums, c.format
FROM pieces p JOIN chunks c ON c.id = p.chunk
WHERE p.body = $1 AND p.start < $2 AND p.start + p.length > $3 ORDER BY p.start
-- name: chunks
SELECT DISTINCT c.id, c.directory FROM pieces p JOIN chunks c ON c.id = p.chunk WHERE p.body = $1
-- name: remove_pieces
DELETE FROM pieces WHERE body = $1
-- name: remove
DELETE FROM bodies WHERE id = $1
-- name: remove_inline
DELETE FROM bodies WHERE id = $1 AND inline IS NOT NULL RETURNING id
-- name: drop_unreferenced
DELETE FROM chunks WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM pieces WHERE chunk = $1) RETURNING id
-- name: add_garbage
INSERT INTO garbage (chunk, directory, since) VALUES ($1, $2, $3)
-- name: garbage
SELECT chunk, directory FROM garbage WHERE since < $1 ORDER BY since LIMIT $2
-- name: forget_garbage
DELETE FROM garbage WHERE chunk = $1
-- name: known
SELECT EXISTS (SELECT 1 FROM chunks WHERE id = $1) OR EXISTS (SELECT 1 FROM garbage WHERE chunk = $1)
