-- mailhaul index, schema 1.  Connection pragmas: journal_mode=WAL,
-- synchronous=FULL, cache_size=-8192 (per connection), mmap_size=0,
-- wal_autocheckpoint=16000, journal_size_limit=67108864, foreign_keys=ON,
-- trusted_schema=OFF, cell_size_check=ON, busy_timeout=60000.
-- Every write transaction is BEGIN IMMEDIATE under flock(2) on INDEX.lock.
PRAGMA application_id = 0x4D48494C;      -- "MHIL"
PRAGMA user_version = 1;

CREATE TABLE account (                   -- one side's login, not its port
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL
    CHECK (kind IN ('imap','pop3','maildir','mbox','eml','pst','archive')),
  key TEXT NOT NULL,                     -- user@host lower-cased, or --account
  UNIQUE (kind, key)) STRICT;

CREATE TABLE job (                       -- source x target; state hangs on it
  id INTEGER PRIMARY KEY,
  source INT NOT NULL REFERENCES account, target INT NOT NULL REFERENCES account,
  UNIQUE (source, target)) STRICT;

CREATE TABLE mailbox (                   -- a generation: name x UIDVALIDITY
  id INTEGER PRIMARY KEY, account INT NOT NULL REFERENCES account,
  name BLOB NOT NULL,                    -- as on the wire
  display TEXT NOT NULL, separator TEXT, special_use TEXT, mailbox_id TEXT,
  subscribed INT NOT NULL DEFAULT 0,
  uidvalidity INT NOT NULL,              -- 0: none (POP3, files)
  restart INT NOT NULL DEFAULT 0,        -- UIDNEXT went down so many times
  first_run INT NOT NULL REFERENCES run, last_run INT REFERENCES run, -- NULL: live
  replaced_by INT REFERENCES mailbox,
  ended INT REFERENCES run,              -- since then no placement of it lives
  UNIQUE (account, name, uidvalidity, restart)) STRICT;
CREATE INDEX mailbox_by ON mailbox(replaced_by) WHERE replaced_by IS NOT NULL;

CREATE TABLE unique_id (                 -- text origins (UIDL, file name, offset)
  mailbox INT NOT NULL REFERENCES mailbox, text BLOB NOT NULL, ordinal INT NOT NULL,
  okey INT NOT NULL, first_seen INT NOT NULL, deleted INT,   -- unix seconds
  PRIMARY KEY (mailbox, text, ordinal), UNIQUE (mailbox, okey)) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, -- 2026-11-21T101500Z-a1b2
  started INT NOT NULL, ended INT,
  state INT NOT NULL CHECK (state BETWEEN 0 AND 3), -- open complete incomplete interrupted
  command TEXT NOT NULL, manifest_sha256 BLOB) STRICT;
CREATE INDEX run_open ON run(state) WHERE state = 0;

CREATE TABLE run_mailbox (               -- the sums that must balance
  run INT NOT NULL REFERENCES run, job INT NOT NULL REFERENCES job,
  mailbox INT NOT NULL REFERENCES mailbox,
  scanned INT NOT NULL DEFAULT 0,        -- 0 not seen, 1 delta, 2 full
  inventory INT, already INT NOT NULL DEFAULT 0,
  delivered INT NOT NULL DEFAULT 0, duplicate INT NOT NULL DEFAULT 0,
  excluded INT NOT NULL DEFAULT 0, repaired INT NOT NULL DEFAULT 0,
  quarantined INT NOT NULL DEFAULT 0, unreadable INT NOT NULL DEFAULT 0,
  vanished INT NOT NULL DEFAULT 0, unknown INT NOT NULL DEFAULT 0,
  PRIMARY KEY (run, job, mailbox)) STRICT, WITHOUT ROWID;

CREATE TABLE run_job (                   -- how each account fared in a run
  run INT NOT NULL REFERENCES run, job INT NOT NULL REFERENCES job,
  state INT NOT NULL CHECK (state BETWEEN 0 AND 3), -- as in run
  started INT NOT NULL, ended INT,
  exit_code INT NOT NULL DEFAULT 0, text TEXT,  -- why it failed
  partial INT NOT NULL DEFAULT 0,        -- mailboxes were left out
  PRIMARY KEY (run, job)) STRICT, WITHOUT ROWID;
CREATE INDEX run_job_j ON run_job(job, run);

CREATE TABLE delta (                     -- where a job stands in a source mailbox
  job INT NOT NULL REFERENCES job, mailbox INT NOT NULL REFERENCES mailbox,
  uidnext INT NOT NULL,                  -- every UID below has a placement row
  modseq INT NOT NULL DEFAULT 0,         -- HIGHESTMODSEQ of that SELECT; 0: none
  messages INT NOT NULL,
  filter_sha256 BLOB NOT NULL,           -- other filter: list the mailbox again
  run INT NOT NULL REFERENCES run,
  PRIMARY KEY (job, mailbox)) STRICT, WITHOUT ROWID;

CREATE TABLE keywords (id INTEGER PRIMARY KEY, list BLOB NOT NULL UNIQUE) STRICT;

CREATE TABLE content (                   -- octets; a row exists only if known
  id INTEGER PRIMARY KEY, h64 INT NOT NULL,
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  size INT NOT NULL, header_size INT NOT NULL,
  b64 INT,                               -- body hash, only if body >= 4096
  mid64 INT, identity64 INT) STRICT;     -- identity64: versioned canonical form
CREATE INDEX content_h ON content(h64);
CREATE INDEX content_b ON content(b64) WHERE b64 IS NOT NULL;
CREATE INDEX content_m ON content(mid64) WHERE mid64 IS NOT NULL;

CREATE TABLE header (                    -- decoded for people and for find
  content INTEGER PRIMARY KEY REFERENCES content,
  message_id TEXT, from_ TEXT, to_ TEXT, cc TEXT, subject TEXT, date TEXT) STRICT;

CREATE TABLE volume (
  id INTEGER PRIMARY KEY, archive INT NOT NULL REFERENCES account,
  name TEXT NOT NULL UNIQUE, run INT NOT NULL REFERENCES run,
  state INT NOT NULL CHECK (state BETWEEN 0 AND 5),
                                         -- open sealed abandoned lost replaced draft
  committed INT NOT NULL DEFAULT 0,      -- octets of .part that are durable
  frames INT NOT NULL DEFAULT 0, plain INT NOT NULL DEFAULT 0,
  cut INT NOT NULL DEFAULT 0,            -- manifests tell more of it than is
                                         -- there: sealed, never gone on with
  sha256 BLOB, sealed_run INT REFERENCES run,
  replaced_by INT REFERENCES volume) STRICT; -- repack: all of it lies there now
CREATE INDEX volume_by ON volume(replaced_by) WHERE replaced_by IS NOT NULL;

CREATE TABLE moved (                     -- where octets lie that repack moved; kept
  volume INT NOT NULL REFERENCES volume, -- of copies that references elsewhere name
  frame INT NOT NULL, off INT NOT NULL,
  content INT REFERENCES content,        -- and whole: until the copying is done
  whole INT NOT NULL,
  to_volume INT NOT NULL REFERENCES volume, to_frame INT NOT NULL,
  to_off INT NOT NULL,
  PRIMARY KEY (volume, frame, off)) STRICT, WITHOUT ROWID;
CREATE INDEX moved_to ON moved(to_volume, content);

CREATE TABLE frame (                     -- sizes < 2^30
  volume INT NOT NULL REFERENCES volume, no INT NOT NULL,
  offset INT NOT NULL, csize INT NOT NULL, plain INT NOT NULL, dsize INT NOT NULL,
  PRIMARY KEY (volume, no)) STRICT, WITHOUT ROWID;

CREATE TABLE stored (                    -- settled: content's copy in an archive
  content INT NOT NULL REFERENCES content, volume INT NOT NULL REFERENCES volume,
  frame INT NOT NULL, off INT NOT NULL,  -- of the data, from the frame's start
  body_of INT REFERENCES content,        -- .hdr: this content is stored whole
  PRIMARY KEY (content, volume)) STRICT, WITHOUT ROWID;

CREATE TABLE placement (                 -- a source message as seen
  mailbox INT NOT NULL REFERENCES mailbox, okey INT NOT NULL, -- UID
  from_run INT NOT NULL REFERENCES run,
  to_run INT REFERENCES run,             -- first run that no longer saw it so
  content INT REFERENCES content,        -- NULL until fetched
  flags INT NOT NULL, kw INT REFERENCES keywords,
  idate INT, zone INT,                   -- seconds UTC, minutes; NULL: NIL/bad
  size INT NOT NULL,                     -- as announced
  PRIMARY KEY (mailbox, okey, from_run)) STRICT, WITHOUT ROWID;
CREATE INDEX placement_c ON placement(content);
CREATE INDEX placement_to ON placement(to_run) WHERE to_run IS NOT NULL;

CREATE TABLE email (                     -- RFC 8474: what an EMAILID was seen to name
  account INT NOT NULL REFERENCES account, id TEXT NOT NULL,
  content INT NOT NULL REFERENCES content,
  PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;

-- One per job and message: the current outcome and, on an IMAP target, where.
-- outcome: 0 pending 1 delivered 2 duplicate 3 excluded 4 repaired 5 quarantined
--          6 unreadable 7 vanished 8 unknown.  'already' is a count, never a row.
CREATE TABLE delivery (
  job INT NOT NULL REFERENCES job, mailbox INT NOT NULL REFERENCES mailbox,
  okey INT NOT NULL, outcome INT NOT NULL CHECK (outcome BETWEEN 0 AND 8),
  run INT NOT NULL REFERENCES run, batch INT REFERENCES batch, -- in flight
  tbox INT REFERENCES mailbox, tuid INT, -- target generation and UID
  sflags INT, tflags INT,                -- both sides when last agreed (merge base)
  volume INT REFERENCES volume, entry TEXT,         -- archive target: its own entry,
  claim INT, frame INT, off INT,         -- enum claim_kind; where its data lies
                                         -- (KNOWN: volume and entry are NULL)
                                         -- (NULL, delivered: on a server, but
                                         -- another placement has it now)
                                         -- (LINK: where the survivor's lies)
  survivor INT REFERENCES content,       -- LINK, REFERENCE: kept whole elsewhere
  dup_mailbox INT, dup_okey INT,         -- outcome 2: the survivor, same job
  PRIMARY KEY (job, mailbox, okey)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delivery_t ON delivery(tbox, tuid) WHERE tuid IS NOT NULL;
CREATE INDEX delivery_batch ON delivery(batch) WHERE batch IS NOT NULL;
-- Not "NOT IN (1, 2, 4)": SQLite builds that list anew for each insert.
CREATE INDEX delivery_todo ON delivery(job, outcome)
  WHERE outcome <> 1 AND outcome <> 2 AND outcome <> 4;
CREATE INDEX delivery_v ON delivery(volume, frame, off, claim)
  WHERE volume IS NOT NULL;              -- a volume's catalog; the entry at a place
CREATE INDEX delivery_run ON delivery(run); -- a run's manifest
CREATE INDEX delivery_dup ON delivery(job, dup_mailbox, dup_okey)
  WHERE dup_okey IS NOT NULL;

CREATE TABLE former (                    -- an entry that a later one of the same
  id INTEGER PRIMARY KEY,                -- message took the place of: it was lost
  job INT NOT NULL REFERENCES job,       -- at the source, came back and was
  mailbox INT NOT NULL REFERENCES mailbox, -- stored anew.  Still in its volume.
  okey INT NOT NULL, run INT NOT NULL REFERENCES run,
  content INT NOT NULL REFERENCES content,
  volume INT NOT NULL REFERENCES volume, entry TEXT NOT NULL,
  claim INT NOT NULL, frame INT NOT NULL, off INT NOT NULL,
  survivor INT REFERENCES content) STRICT;
CREATE INDEX former_v ON former(volume, frame, off, claim, job, mailbox, okey);

CREATE TABLE note (                      -- the words beside an outcome
  job INT NOT NULL, mailbox INT NOT NULL, okey INT NOT NULL, run INT NOT NULL,
  class TEXT NOT NULL, text TEXT NOT NULL, original BLOB,
  PRIMARY KEY (job, mailbox, okey, run, class)) STRICT, WITHOUT ROWID;

CREATE TABLE batch (                     -- durable before octets leave; gone when settled
  id INTEGER PRIMARY KEY, run INT NOT NULL REFERENCES run,
  tbox INT NOT NULL REFERENCES mailbox, base INT NOT NULL, sent INT NOT NULL) STRICT;

CREATE TABLE target_box (                -- a job's mapped target mailbox
  job INT NOT NULL REFERENCES job, source_name BLOB NOT NULL,
  tbox INT NOT NULL REFERENCES mailbox, base0 INT NOT NULL,
  reconciled INT NOT NULL,               -- UIDs below were reconciled
  doubt INT NOT NULL DEFAULT 0,          -- a batch ended ambiguously since
  modseq INT NOT NULL DEFAULT 0,
  PRIMARY KEY (job, source_name)) STRICT, WITHOUT ROWID;

CREATE TABLE budget (                    -- governor: survives restarts
  scope TEXT NOT NULL, day INT NOT NULL, octets INT NOT NULL DEFAULT 0,
  messages INT NOT NULL DEFAULT 0, paused_until INT,
  PRIMARY KEY (scope, day)) STRICT, WITHOUT ROWID;

-- as of run R: from_run <= R and (to_run is null or to_run > R)
CREATE VIEW placement_now AS SELECT * FROM placement WHERE to_run IS NULL;
