-- mailhaul's second database, beside the index: what find looks words up in.
-- It holds nothing that the index and the volumes don't, and is built anew
-- whenever it is missing, damaged or another index's.  Rows are keyed by the
-- index's content ids, which only ever grow.
PRAGMA application_id = 0x4D484644;      -- "MHFD"
PRAGMA user_version = 1;

CREATE TABLE doc (                       -- a content that find knows
  content INTEGER PRIMARY KEY,
  newest INT NOT NULL, oldest INT NOT NULL, -- INTERNALDATEs it ever stood under
  size INT NOT NULL) STRICT;
CREATE INDEX doc_when ON doc(newest, content, oldest, size);

-- No text is kept, only where each word stands.
CREATE VIRTUAL TABLE headers USING fts5(from_, to_, cc, subject,
  content = '', tokenize = "unicode61 remove_diacritics 2");
CREATE VIRTUAL TABLE bodies USING fts5(text,
  content = '', tokenize = "unicode61 remove_diacritics 2");
-- Words collected in memory before they are written: fewer merges.
INSERT INTO headers (headers, rank) VALUES ('hashsize', 8388608);
INSERT INTO bodies (bodies, rank) VALUES ('hashsize', 8388608);

CREATE TABLE unread (                    -- bodies that are not, or not wholly, in
  content INTEGER PRIMARY KEY, why TEXT NOT NULL) STRICT;

CREATE TABLE mark (                      -- what the index had under some ids:
  content INTEGER PRIMARY KEY,           -- another index has something else
  h64 INT NOT NULL) STRICT;

CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  run INT NOT NULL,                      -- deliveries up to it are in doc's dates
  bodies INT NOT NULL) STRICT;           -- contents up to it are in bodies
INSERT INTO state VALUES (1, 0, 0);
