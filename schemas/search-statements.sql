-- Every statement on the database of search.sql, by name; rules as in
-- statements.sql.

-- name: search_synchronous
PRAGMA synchronous = NORMAL;
-- name: search_cache
PRAGMA cache_size = -16384;

-- ---- bringing it up to date --------------------------------------------
-- name: search_marks
-- scan: one row an update
SELECT content, h64 FROM mark ORDER BY content;
-- name: search_mark_put
INSERT OR REPLACE INTO mark (content, h64) VALUES (?1, ?2);
-- name: search_bottom
SELECT min(content) FROM doc;
-- name: search_top
SELECT max(content) FROM doc;
-- name: search_state
SELECT run, bodies FROM state WHERE id = 1;
-- name: search_state_run
UPDATE state SET run = ?1 WHERE id = 1;
-- name: search_state_bodies
UPDATE state SET bodies = ?1 WHERE id = 1;
-- name: search_doc_put
INSERT INTO doc (content, newest, oldest, size) VALUES (?1, ?2, ?3, ?4);
-- name: search_doc_widen
UPDATE doc SET newest = max(newest, ?2), oldest = min(oldest, ?2)
WHERE content = ?1 AND (newest < ?2 OR oldest > ?2);
-- name: search_headers_put
INSERT INTO headers (rowid, from_, to_, cc, subject) VALUES (?1, ?2, ?3, ?4, ?5);
-- name: search_bodies_put
INSERT INTO bodies (rowid, text) VALUES (?1, ?2);
-- name: search_unread_put
INSERT OR REPLACE INTO unread (content, why) VALUES (?1, ?2);
-- name: search_unread
-- scan: a count of few rows
SELECT count(*) FROM unread;

-- ---- looking -----------------------------------------------------------
-- name: search_headers
SELECT rowid FROM headers WHERE headers MATCH ?1;
-- name: search_bodies
SELECT rowid FROM bodies WHERE bodies MATCH ?1;
-- name: search_doc
SELECT newest, oldest, size FROM doc WHERE content = ?1;
-- name: search_docs
SELECT content, newest, oldest, size FROM doc INDEXED BY doc_when
WHERE newest >= ?1 AND size > ?2 AND size < ?3 AND oldest < ?4
ORDER BY newest DESC, content DESC;
