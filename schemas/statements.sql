-- Every statement the index runs, by name.  scripts/embed-sql makes them an
-- enum and a table; scripts/lint-sql plans each against the schema.  A plan
-- that reads a whole table is an error unless "-- scan: REASON" stands below
-- the name.  Values come as numbered parameters only.

-- ---- a connection ------------------------------------------------------
-- name: pragma_wal
PRAGMA journal_mode = WAL;
-- name: pragma_synchronous
PRAGMA synchronous = FULL;
-- name: pragma_cache_size
PRAGMA cache_size = -8192;
-- name: pragma_mmap_size
PRAGMA mmap_size = 0;
-- name: pragma_autocheckpoint
PRAGMA wal_autocheckpoint = 16000;
-- name: pragma_size_limit
PRAGMA journal_size_limit = 67108864;
-- name: pragma_foreign_keys
PRAGMA foreign_keys = ON;
-- name: pragma_trusted_schema
PRAGMA trusted_schema = OFF;
-- name: pragma_cell_size_check
PRAGMA cell_size_check = ON;
-- One statement, so that all three are of one moment: another process may be
-- making the schema.
-- name: whose
-- scan: the schema's own table, once per open
SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema)
FROM pragma_application_id a, pragma_user_version v;
-- name: begin
BEGIN IMMEDIATE;
-- name: commit
COMMIT;
-- name: rollback
ROLLBACK;
-- name: checkpoint
PRAGMA wal_checkpoint(TRUNCATE);
-- name: quick_check
PRAGMA quick_check(1);
-- name: integrity_check
PRAGMA integrity_check(1);
-- name: foreign_key_check
PRAGMA foreign_key_check;
-- name: schema
-- scan: the schema's own table, once a check
SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name;

-- ---- runs --------------------------------------------------------------
-- name: run_begin
INSERT INTO run (name, started, state, command) VALUES (?1, ?2, 0, ?3);
-- name: run_end
UPDATE run SET state = ?2, ended = ?3 WHERE id = ?1;
-- Accounts that were open when their run ended were interrupted.
-- name: run_jobs_close
UPDATE run_job SET state = 3 WHERE run = ?1 AND state = 0;
-- Listed, and no word of it since: the process that knew it died.
-- name: run_counts_close
UPDATE run_mailbox SET unknown = inventory - already - delivered - duplicate
  - excluded - repaired - quarantined - unreadable - vanished
WHERE run = ?1 AND inventory > already + delivered + duplicate + excluded
  + repaired + quarantined + unreadable + vanished + unknown;
-- name: run_job_begin
INSERT INTO run_job (run, job, state, started) VALUES (?1, ?2, 0, ?3)
ON CONFLICT (run, job) DO UPDATE SET state = 0, started = excluded.started,
  ended = NULL, exit_code = 0, text = NULL, partial = 0;
-- name: run_job_end
UPDATE run_job SET state = ?3, exit_code = ?4, text = ?5, ended = ?6,
  partial = ?7
WHERE run = ?1 AND job = ?2;
-- name: run_jobs
-- scan: accounts are few
SELECT rj.run, rj.job, r.name, s.kind, s.key, t.key,
  iif(rj.state = 0 AND r.state <> 0, 3, rj.state), rj.started, rj.ended,
  rj.exit_code, rj.text, rj.partial
FROM account s JOIN job j ON j.source = s.id
  JOIN run_job rj ON rj.job = j.id JOIN run r ON r.id = rj.run
  JOIN account t ON t.id = j.target
WHERE ?1 IS NULL OR s.key = ?1
ORDER BY s.key, s.id, rj.run, rj.job;
-- name: run_jobs_of_run
SELECT rj.run, rj.job, r.name, s.kind, s.key, t.key,
  iif(rj.state = 0 AND r.state <> 0, 3, rj.state), rj.started, rj.ended,
  rj.exit_code, rj.text, rj.partial
FROM run_job rj JOIN run r ON r.id = rj.run JOIN job j ON j.id = rj.job
  JOIN account s ON s.id = j.source JOIN account t ON t.id = j.target
WHERE rj.run = ?1 AND (?2 IS NULL OR s.key = ?2)
ORDER BY s.key, s.id, rj.job;
-- A run that left mailboxes out tells of those that it read, or saw end.
-- name: as_of
SELECT max(rj.run) FROM mailbox m JOIN job j ON j.source = m.account
  JOIN run_job rj ON rj.job = j.id
WHERE m.id = ?1 AND rj.state = 1 AND rj.ended <= ?2
  AND (NOT rj.partial OR m.ended = rj.run OR EXISTS (
    SELECT 1 FROM run_mailbox rm
    WHERE rm.run = rj.run AND rm.job = rj.job AND rm.mailbox = m.id));
-- name: run_manifest
UPDATE run SET manifest_sha256 = ?2 WHERE id = ?1;
-- name: runs
-- scan: a list of all runs is what is asked for
SELECT id, name, started, ended, state, command, manifest_sha256 FROM run
WHERE ?1 < 0 OR state = ?1 ORDER BY id;
-- name: runs_open
SELECT id, name, started, ended, state, command, manifest_sha256 FROM run
WHERE state = 0 ORDER BY id;

-- ---- who is who --------------------------------------------------------
-- name: account_find
SELECT id FROM account WHERE kind = ?1 AND key = ?2;
-- name: account_insert
INSERT INTO account (kind, key) VALUES (?1, ?2);
-- name: job_find
SELECT id FROM job WHERE source = ?1 AND target = ?2;
-- name: job_insert
INSERT INTO job (source, target) VALUES (?1, ?2);
-- name: mailbox_find
SELECT id, display, separator, special_use, mailbox_id, subscribed,
  last_run IS NOT NULL
FROM mailbox WHERE account = ?1 AND name = ?2 AND uidvalidity = ?3
  AND (?4 IS NULL OR mailbox_id IS NULL OR mailbox_id = ?4)
ORDER BY restart DESC LIMIT 1;
-- name: mailbox_other
SELECT 1 FROM mailbox WHERE id = ?1 AND mailbox_id <> ?2;
-- name: mailbox_insert
INSERT INTO mailbox (account, name, uidvalidity, display, separator,
  special_use, mailbox_id, subscribed, first_run, restart)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
  (SELECT count(*) FROM mailbox WHERE account = ?1 AND name = ?2
     AND uidvalidity = ?3));
-- name: mailbox_update
UPDATE mailbox SET display = ?2, separator = ?3, special_use = ?4,
  mailbox_id = ?5, subscribed = ?6, last_run = NULL, replaced_by = NULL,
  ended = NULL
WHERE id = ?1;
-- name: mailbox_replace
UPDATE mailbox SET last_run = ?4, replaced_by = ?3
WHERE account = ?1 AND name = ?2 AND id <> ?3 AND last_run IS NULL;
-- name: mailbox_end
UPDATE mailbox SET last_run = coalesce(last_run, ?2), ended = ?2,
  replaced_by = coalesce(?3, replaced_by)
WHERE id = ?1;
-- What a mailbox's state was is worth nothing when it comes back.
-- name: delta_drop
DELETE FROM delta WHERE mailbox = ?1 AND job IN (
  SELECT j.id FROM mailbox m JOIN job j ON j.source = m.account
  WHERE m.id = ?1);
-- name: delta_move
INSERT INTO delta (job, mailbox, uidnext, modseq, messages, filter_sha256, run)
SELECT job, ?3, uidnext, modseq, messages, filter_sha256, ?4 FROM delta
WHERE job = ?1 AND mailbox = ?2
ON CONFLICT (job, mailbox) DO UPDATE SET uidnext = excluded.uidnext,
  modseq = excluded.modseq, messages = excluded.messages,
  filter_sha256 = excluded.filter_sha256, run = excluded.run;
-- name: live_mailboxes
SELECT m.id, m.name, m.display, m.mailbox_id, m.separator, m.special_use,
  m.subscribed, m.uidvalidity, d.job IS NOT NULL, d.uidnext, d.modseq,
  d.messages
FROM mailbox m LEFT JOIN delta d ON d.job = ?2 AND d.mailbox = m.id
WHERE m.account = ?1 AND m.last_run IS NULL ORDER BY m.name, m.id;
-- Replaced by it, or by what it replaced, under this name or another, but not
-- all placements have ended.
-- name: replaced_mailboxes
-- scan: the forerunners of one mailbox, found by their index
WITH RECURSIVE before (id) AS (SELECT ?1 UNION
  SELECT o.id FROM before b JOIN mailbox o ON o.replaced_by = b.id)
SELECT o.id FROM before b JOIN mailbox o ON o.id = b.id
WHERE o.id <> ?1 AND o.last_run IS NOT NULL AND o.ended IS NULL
ORDER BY o.last_run, o.id;

-- ---- consult -----------------------------------------------------------
-- name: delta_find
SELECT uidnext, modseq, messages, filter_sha256 FROM delta
WHERE job = ?1 AND mailbox = ?2;
-- name: delta_put
INSERT INTO delta (job, mailbox, uidnext, modseq, messages, filter_sha256, run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (job, mailbox) DO UPDATE SET uidnext = excluded.uidnext,
  modseq = excluded.modseq, messages = excluded.messages,
  filter_sha256 = excluded.filter_sha256, run = excluded.run;
-- name: outcomes
SELECT total(outcome = 0), total(outcome = 1), total(outcome = 2),
  total(outcome = 3), total(outcome = 4), total(outcome = 5),
  total(outcome = 6), total(outcome = 7), total(outcome = 8)
FROM delivery WHERE job = ?1 AND mailbox = ?2;
-- name: outcome
SELECT outcome FROM delivery WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- name: live_mailbox
SELECT id, uidvalidity FROM mailbox
WHERE account = ?1 AND name = ?2 AND last_run IS NULL;
-- name: todo
SELECT 1 FROM delivery INDEXED BY delivery_todo
WHERE job = ?1 AND outcome IN (0, 3, 5, 6, 8)
  AND outcome <> 1 AND outcome <> 2 AND outcome <> 4
  AND mailbox = ?2 AND EXISTS (SELECT 1 FROM placement p
    WHERE p.mailbox = ?2 AND p.okey = delivery.okey AND p.to_run IS NULL)
LIMIT 1;
-- name: walk
SELECT p.okey, d.outcome, p.flags, p.idate, p.size, c.size, k.list
FROM placement p
  LEFT JOIN delivery d
    ON d.job = ?1 AND d.mailbox = p.mailbox AND d.okey = p.okey
  LEFT JOIN content c ON c.id = p.content
  LEFT JOIN keywords k ON k.id = p.kw
WHERE p.mailbox = ?2 AND p.okey >= ?3 AND p.to_run IS NULL ORDER BY p.okey;
-- name: top_okey
SELECT max(okey) FROM placement WHERE mailbox = ?1;
-- Counted side by side: a join looks each delivery up, four times slower.
-- name: count_placements
SELECT okey FROM placement
WHERE mailbox = ?1 AND okey BETWEEN ?2 AND ?3 AND to_run IS NULL ORDER BY okey;
-- name: count_deliveries
SELECT okey, outcome FROM delivery
WHERE job = ?1 AND mailbox = ?2 AND okey BETWEEN ?3 AND ?4 ORDER BY okey;
-- match_*: only contents of which a copy is still there.
-- name: match_email
SELECT c.sha256 FROM email e JOIN content c ON c.id = e.content
WHERE e.account = ?1 AND e.id = ?2 AND c.size = ?3
  AND EXISTS (SELECT 1 FROM stored s JOIN volume v ON v.id = s.volume
    WHERE s.content = c.id AND v.state IN (0, 1));
-- name: email_content
SELECT c.sha256 FROM email e JOIN content c ON c.id = e.content
WHERE e.account = ?1 AND e.id = ?2 AND c.size = ?3;
-- Each row is one looked at, whether it is wanted (the first column) or not, so
-- that the caller can give up; by the index, an okey's versions come together.
-- ?8: the copy is on a server: the delivery tells where, and it is of the last
-- content that its message had.
-- name: match_twin
SELECT p.okey IS NOT NULL AND (p.size = ?4 OR c.size = ?4) AND p.idate IS ?5
    AND (p.to_run IS NULL OR p.to_run = ?3)
    AND EXISTS (SELECT 1 FROM header h
      WHERE h.content = c.id AND h.message_id = ?7)
    AND EXISTS (SELECT 1 FROM delivery d WHERE d.job = ?1 AND d.mailbox = ?2
      AND d.okey = p.okey AND d.outcome = 1 AND (NOT ?8 OR d.tbox IS NOT NULL))
    AND CASE WHEN ?8 THEN
      EXISTS (SELECT 1 FROM mailbox m WHERE m.id = ?2 AND m.last_run IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM placement l WHERE l.mailbox = ?2
        AND l.okey = p.okey AND l.from_run > p.from_run
        AND l.content IS NOT p.content)
    ELSE EXISTS (SELECT 1 FROM stored s JOIN volume v ON v.id = s.volume
      WHERE s.content = c.id AND v.state IN (0, 1)) END,
  p.okey, c.sha256
FROM content c LEFT JOIN placement p ON p.content = c.id AND p.mailbox = ?2
WHERE c.mid64 = ?6;
-- name: match_content
SELECT 1 FROM mailbox m
  JOIN content c ON c.h64 = ?4 AND c.sha256 = ?5
  JOIN placement p ON p.content = c.id AND p.mailbox = m.id
  JOIN delivery d ON d.job = ?1 AND d.mailbox = p.mailbox AND d.okey = p.okey
    AND d.outcome = 1
WHERE m.id IN (SELECT id FROM mailbox WHERE account = ?2 AND name = ?3
    UNION ALL SELECT ?6)
  AND EXISTS (SELECT 1 FROM stored s JOIN volume v ON v.id = s.volume
    WHERE s.content = c.id AND v.state IN (0, 1))
LIMIT 1;
-- name: hash_by_prefix
SELECT sha256 FROM content WHERE h64 BETWEEN ?1 AND ?2;
-- name: content_find
SELECT id FROM content WHERE h64 = ?1 AND sha256 = ?2;
-- Asked only of contents that are there: sorting with a limit makes SQLite
-- open a temporary table first, whether it will have a row or not.
-- name: copy_find
SELECT v.name, s.frame, s.off, c.size, c.header_size, c.sha256
FROM content c
  JOIN stored s ON s.content = c.id AND s.body_of IS NULL
  JOIN volume v ON v.id = s.volume AND v.state IN (0, 1)
WHERE c.id = ?1 AND (?2 IS NULL OR v.archive = ?2)
ORDER BY v.name IS ?3 DESC, s.volume LIMIT 1;
-- name: body_find
SELECT v.name, s.frame, s.off, c.size, c.header_size, c.sha256
FROM content c
  JOIN stored s ON s.content = c.id AND s.body_of IS NULL
  JOIN volume v ON v.id = s.volume AND v.state IN (0, 1)
WHERE c.b64 = ?1 AND v.archive = ?2
ORDER BY c.id, s.volume;
-- name: link_find
SELECT d.entry
FROM content c
  JOIN volume v ON v.name = ?3
  JOIN stored s ON s.content = c.id AND s.volume = v.id AND s.body_of IS NULL
  JOIN delivery d ON d.volume = v.id AND d.frame = s.frame AND d.off = s.off
    AND d.claim IN (0, 1)
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
WHERE c.h64 = ?1 AND c.sha256 = ?2 AND p.idate IS ?4
ORDER BY d.claim LIMIT 1;
-- name: parts_split
SELECT v.name, s.frame, s.off, c.size, c.header_size,
  bv.name, bs.frame, bs.off, bc.header_size
FROM content c
  JOIN stored s ON s.content = c.id
  JOIN volume v ON v.id = s.volume AND v.state IN (0, 1)
  JOIN content bc ON bc.id = s.body_of
  JOIN stored bs ON bs.content = s.body_of AND bs.body_of IS NULL
  JOIN volume bv ON bv.id = bs.volume AND bv.state IN (0, 1)
WHERE c.h64 = ?1 AND c.sha256 = ?2 AND s.body_of IS NOT NULL
ORDER BY s.volume, bs.volume = s.volume DESC, bs.volume LIMIT 1;

-- ---- settle ------------------------------------------------------------
-- name: content_insert
INSERT INTO content (h64, sha256, size, header_size, b64, mid64, identity64)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
-- name: header_insert
INSERT INTO header (content, message_id, from_, to_, cc, subject, date)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
-- Inserts and updates stand apart: an upsert of a table with foreign keys makes
-- SQLite journal each statement, which costs more than asking first.
-- name: stored_insert
INSERT INTO stored (content, volume, frame, off, body_of)
VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (content, volume) DO NOTHING;
-- A whole copy replaces a header's row, never the other way round.
-- name: stored_whole
UPDATE stored SET frame = ?3, off = ?4, body_of = NULL
WHERE content = ?1 AND volume = ?2 AND body_of IS NOT NULL;
-- name: keywords_find
SELECT id FROM keywords WHERE list = ?1;
-- name: keywords_insert
INSERT INTO keywords (list) VALUES (?1);
-- The last version, whether it lives or not.
-- name: placement_last
SELECT from_run, to_run, content, flags, kw, idate, zone, size FROM placement
WHERE mailbox = ?1 AND okey = ?2 ORDER BY from_run DESC LIMIT 1;
-- In place: what the same run says anew, or nobody has kept.
-- name: placement_update
UPDATE placement SET content = ?3, flags = ?4, kw = ?5, idate = ?6, zone = ?7,
  size = ?8, to_run = NULL
WHERE mailbox = ?1 AND okey = ?2 AND from_run = ?9;
-- name: placement_insert
INSERT INTO placement (mailbox, okey, content, flags, kw, idate, zone, size,
  from_run) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
-- name: placement_end
UPDATE placement SET to_run = ?4
WHERE mailbox = ?1 AND okey BETWEEN ?2 AND ?3 AND to_run IS NULL;
-- Of all that a mailbox replaced, under this name or an earlier one, those whose
-- content it holds too: one message ends one of them, in the newest that has
-- it. What ended since the last one was replaced has had its twin; one that was
-- renamed since carries its messages on, from_run being the run of that.
-- name: placement_end_twins
-- scan: the messages of one mailbox and its forerunners, once when it was read
WITH RECURSIVE
  before (id) AS (SELECT ?2 UNION SELECT ?3 UNION
    SELECT o.id FROM before b JOIN mailbox o ON o.replaced_by = b.id),
  since (run) AS (SELECT coalesce(
    (SELECT max(last_run) FROM mailbox WHERE replaced_by = ?2 AND ended IS NULL),
    (SELECT min(m.last_run) FROM before b JOIN mailbox m ON m.id = b.id
      WHERE m.id <> ?2 AND m.ended IS NULL),
    (SELECT first_run FROM mailbox WHERE id = ?2))),
  old (mailbox, okey, content, nth) AS (
    SELECT p.mailbox, p.okey, p.content, row_number() OVER (
      PARTITION BY p.content ORDER BY m.last_run IS NOT NULL, m.last_run DESC,
        m.id DESC, p.to_run IS NULL, p.okey)
    FROM before b CROSS JOIN mailbox m ON m.id = b.id
      CROSS JOIN placement p ON p.mailbox = m.id
    WHERE m.id <> ?2 AND m.ended IS NULL AND p.content IS NOT NULL
      AND (p.to_run IS NULL OR p.to_run >= (SELECT run FROM since))),
  new (content, nth) AS (
    SELECT n.content, row_number() OVER (PARTITION BY n.content ORDER BY n.okey)
    FROM (SELECT DISTINCT content, okey FROM placement WHERE mailbox = ?2
      AND content IS NOT NULL AND from_run >= (SELECT run FROM since)) n)
UPDATE placement SET to_run = ?1
WHERE to_run IS NULL AND (mailbox, okey) IN (
  SELECT o.mailbox, o.okey FROM old o
  WHERE (o.content, o.nth) IN (SELECT content, nth FROM new));
-- name: rename_part
SELECT p.okey, p.content, p.flags, p.kw, p.idate, p.zone, p.size, d.outcome
FROM placement p LEFT JOIN delivery d
  ON d.job = ?1 AND d.mailbox = p.mailbox AND d.okey = p.okey
WHERE p.mailbox = ?2 AND p.okey > ?3 AND p.to_run IS NULL
ORDER BY p.okey LIMIT ?4;
-- name: email_put
INSERT INTO email (account, id, content)
SELECT account, ?2, ?3 FROM mailbox WHERE id = ?1
ON CONFLICT (account, id) DO UPDATE SET content = excluded.content
  WHERE content <> excluded.content;
-- name: delivery_insert
INSERT INTO delivery (job, mailbox, okey, outcome, run, volume, entry, claim,
  frame, off, survivor) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (job, mailbox, okey) DO NOTHING;
-- name: delivery_update
UPDATE delivery SET outcome = 1, run = ?4, volume = ?5, entry = ?6, claim = ?7,
  frame = ?8, off = ?9, survivor = ?10
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- Delivered before and there again, with the entry that it has.
-- name: delivery_again
UPDATE delivery SET run = ?4
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3 AND outcome = 1;
-- An entry that is given up for another one stays in its volume's catalog.
-- name: delivery_former
INSERT INTO former (job, mailbox, okey, run, content, volume, entry, claim,
  frame, off, survivor)
SELECT d.job, d.mailbox, d.okey, d.run, p.content, d.volume, d.entry, d.claim,
  d.frame, d.off, d.survivor
FROM delivery d JOIN volume v ON v.id = d.volume AND v.state IN (0, 1)
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
    AND p.content IS NOT NULL
WHERE d.job = ?1 AND d.mailbox = ?2 AND d.okey = ?3 AND d.outcome = 1
  AND (d.volume IS NOT ?4 OR d.frame IS NOT ?5 OR d.off IS NOT ?6
    OR d.claim IS NOT ?7)
ORDER BY p.from_run DESC LIMIT 1;
-- What was delivered stays delivered: its entry is in a volume, or it is on a
-- server, if no other placement has taken it over (without claim).
-- name: delivery_outcome
INSERT INTO delivery (job, mailbox, okey, outcome, run)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (job, mailbox, okey) DO UPDATE SET outcome = excluded.outcome,
  run = excluded.run, batch = NULL
  WHERE delivery.outcome <> 1 OR delivery.claim IS NULL;
-- name: note_put
INSERT INTO note (job, mailbox, okey, run, class, text)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (job, mailbox, okey, run, class) DO UPDATE SET text = excluded.text;
-- name: count_add
INSERT INTO run_mailbox (run, job, mailbox, scanned, inventory, already,
  delivered, duplicate, excluded, repaired, quarantined, unreadable, vanished,
  unknown) VALUES (?1, ?2, ?3, max(?4, 0), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (run, job, mailbox) DO UPDATE SET
  scanned = iif(?4 < 0, scanned, excluded.scanned),
  inventory = iif(?4 < 0, inventory, excluded.inventory),
  already = already + excluded.already,
  delivered = delivered + excluded.delivered,
  duplicate = duplicate + excluded.duplicate,
  excluded = run_mailbox.excluded + excluded.excluded,
  repaired = repaired + excluded.repaired,
  quarantined = quarantined + excluded.quarantined,
  unreadable = unreadable + excluded.unreadable,
  vanished = vanished + excluded.vanished, unknown = unknown + excluded.unknown;

-- ---- a server as the target ---------------------------------------------
-- name: job_target
SELECT a.kind FROM job j JOIN account a ON a.id = j.target WHERE j.id = ?1;
-- name: tbox_find
SELECT tbox, base0, reconciled, doubt FROM target_box
WHERE job = ?1 AND source_name = ?2;
-- name: tbox_insert
INSERT INTO target_box (job, source_name, tbox, base0, reconciled, doubt)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);
-- name: tbox_update
UPDATE target_box SET tbox = ?3, base0 = ?4, reconciled = ?5, doubt = ?6
WHERE job = ?1 AND source_name = ?2;
-- name: tbox_doubt
UPDATE target_box SET doubt = ?3, reconciled = ?4
WHERE job = ?1 AND source_name = ?2;
-- name: batch_insert
INSERT INTO batch (run, tbox, base, sent) VALUES (?1, ?2, ?3, ?4);
-- name: batch_end
DELETE FROM batch WHERE id = ?1 AND NOT EXISTS (
  SELECT 1 FROM delivery d INDEXED BY delivery_batch WHERE d.batch = ?1);
-- name: fly_insert
INSERT INTO delivery (job, mailbox, okey, outcome, run, batch)
VALUES (?1, ?2, ?3, 0, ?4, ?5) ON CONFLICT (job, mailbox, okey) DO NOTHING;
-- name: fly_update
UPDATE delivery SET batch = ?5, run = iif(outcome = 1, ?4, run),
  outcome = iif(outcome = 1, 0, outcome), claim = NULL,
  tbox = NULL, tuid = NULL, sflags = NULL, tflags = NULL
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- Of the claims KNOWN: nothing of it lies in a volume.
-- name: land
UPDATE delivery SET outcome = 1, run = ?4, batch = NULL, tbox = ?5, tuid = ?6,
  sflags = ?7, tflags = ?7, claim = 3
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- name: land_none
UPDATE delivery SET batch = NULL, run = iif(outcome = 0, ?4, run)
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- name: flights
-- scan: few batches are in flight
SELECT b.id, b.tbox, m.uidvalidity, b.base, m.name, b.sent
FROM batch b JOIN mailbox m ON m.id = b.tbox
WHERE EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_batch
  WHERE d.batch = b.id AND d.job = ?1)
ORDER BY b.id;
-- name: flying
SELECT d.mailbox, d.okey, c.size, c.sha256, p.idate, c.identity64, p.flags,
  h.message_id
FROM delivery d INDEXED BY delivery_batch
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
    AND p.from_run = (SELECT max(l.from_run) FROM placement l
      WHERE l.mailbox = d.mailbox AND l.okey = d.okey)
  JOIN content c ON c.id = p.content
  LEFT JOIN header h ON h.content = c.id
WHERE d.batch = ?1 ORDER BY d.job, d.mailbox, d.okey;
-- name: tuid_taken
SELECT 1 FROM delivery INDEXED BY delivery_t WHERE tbox = ?1 AND tuid = ?2;
-- name: tuid_top
SELECT max(tuid) FROM delivery INDEXED BY delivery_t
WHERE tbox = ?1 AND tuid IS NOT NULL;
-- name: landed_at
SELECT mailbox, okey, tbox, tuid, sflags, tflags FROM delivery
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3 AND outcome = 1
  AND tbox IS NOT NULL;
-- The live one behind the one found last, of the date ?5, or any if ?6.
-- name: landed_next
SELECT d.mailbox, d.okey, d.tbox, d.tuid, d.sflags, d.tflags
FROM placement p INDEXED BY placement_c
  CROSS JOIN delivery d ON d.job = ?1 AND d.mailbox = p.mailbox
    AND d.okey = p.okey AND d.outcome = 1 AND d.tbox IS NOT NULL
WHERE p.content = ?3 AND p.mailbox = ?2 AND p.okey > ?4 AND p.to_run IS NULL
  AND (?6 OR p.idate IS ?5)
ORDER BY p.okey LIMIT 1;
-- A content that came later to a message than the one asked for is what it has
-- on the server.
-- name: landed_find
SELECT d.mailbox, d.okey, d.tbox, d.tuid, d.sflags, d.tflags
FROM mailbox t
  CROSS JOIN mailbox m ON m.account = t.account AND m.name = t.name
    AND m.id <> t.id AND m.last_run IS NOT NULL
  CROSS JOIN placement p INDEXED BY placement_c
    ON p.content = ?3 AND p.mailbox = m.id
  CROSS JOIN delivery d ON d.job = ?1 AND d.mailbox = p.mailbox
    AND d.okey = p.okey AND d.outcome = 1 AND d.tbox IS NOT NULL
WHERE t.id = ?2 AND NOT EXISTS (SELECT 1 FROM placement l
  WHERE l.mailbox = p.mailbox AND l.okey = p.okey AND l.from_run > p.from_run
    AND l.content IS NOT p.content)
ORDER BY p.idate IS ?4 DESC, p.to_run IS NULL DESC, m.last_run DESC,
  m.id DESC, p.okey
LIMIT 1;
-- name: landed_again
UPDATE delivery SET run = ?4
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3 AND outcome = 1
  AND tbox IS NOT NULL;
-- name: landed_leave
UPDATE delivery SET tbox = NULL, tuid = NULL, sflags = NULL, tflags = NULL,
  claim = NULL
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
-- name: landed_take
UPDATE delivery SET outcome = 1, run = ?4, batch = NULL, tbox = ?5, tuid = ?6,
  sflags = ?7, tflags = ?8, claim = 3
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;

-- ---- volumes -----------------------------------------------------------
-- name: volume_insert
INSERT INTO volume (archive, name, run, state) VALUES (?1, ?2, ?3, 0);
-- name: volume_find
SELECT id FROM volume WHERE name = ?1;
-- name: volume_progress
UPDATE volume SET committed = ?2, plain = ?3, frames = coalesce(?4, frames)
WHERE id = ?1;
-- name: volume_seal
UPDATE volume SET state = 1, sha256 = ?2, sealed_run = ?3 WHERE id = ?1;
-- name: volume_abandon
UPDATE volume SET state = 2 WHERE name = ?1 AND state = 0;
-- name: volumes
-- scan: a list of all volumes is what is asked for
SELECT v.name, r.name, s.name, v.state, v.committed, v.frames, v.plain, v.cut,
  v.sha256
FROM volume v JOIN run r ON r.id = v.run LEFT JOIN run s ON s.id = v.sealed_run
WHERE ?1 < 0 OR v.state = ?1 ORDER BY v.id;
-- name: frame_put
INSERT INTO frame (volume, no, offset, csize, plain, dsize)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (volume, no) DO UPDATE SET offset = excluded.offset,
  csize = excluded.csize, plain = excluded.plain, dsize = excluded.dsize;
-- name: frames
SELECT f.no, f.offset, f.csize, f.plain, f.dsize
FROM volume v JOIN frame f ON f.volume = v.id WHERE v.name = ?1 ORDER BY f.no;

-- ---- what an archive holds ---------------------------------------------
-- rows_*: which deliveries to look at, in the order of the answer.
-- name: rows_boxes
-- scan: each mailbox once; there are few beside the messages
SELECT j.id, m.id FROM account a
  JOIN mailbox m ON m.account = a.id JOIN job j ON j.source = a.id
WHERE ?1 IS NULL OR a.key = ?1
ORDER BY a.key, m.display, m.uidvalidity, m.id, j.id;
-- name: rows_of_box
SELECT job, mailbox, okey FROM delivery
WHERE job = ?1 AND mailbox = ?2 AND okey BETWEEN ?3 AND ?4 ORDER BY okey;
-- name: rows_of_run
SELECT job, mailbox, okey FROM delivery INDEXED BY delivery_run
WHERE run = ?5 AND job = ?1 AND mailbox = ?2 AND okey BETWEEN ?3 AND ?4
ORDER BY okey;
-- What a run changed in archives: what it settled, then what ended in it.  In
-- the order of the indexes, so that the same run gives the same rows.
-- name: rows_of_changes
SELECT job, mailbox, okey, 0 FROM delivery INDEXED BY delivery_run
WHERE run = ?1 AND EXISTS (SELECT 1 FROM job j JOIN account a ON a.id = j.target
  WHERE j.id = delivery.job AND a.kind = 'archive')
UNION ALL
SELECT j.id, p.mailbox, p.okey, 1
FROM placement p INDEXED BY placement_to
  CROSS JOIN mailbox m ON m.id = p.mailbox
  CROSS JOIN job j ON j.source = m.account
  CROSS JOIN account a ON a.id = j.target AND a.kind = 'archive'
WHERE p.to_run = ?1;
-- name: rows_of_volume
SELECT job, mailbox, okey, 0, frame, off, claim
FROM delivery INDEXED BY delivery_v
WHERE volume = (SELECT id FROM volume WHERE name = ?1)
UNION ALL
SELECT job, mailbox, okey, id, frame, off, claim FROM former
WHERE volume = (SELECT id FROM volume WHERE name = ?1)
ORDER BY 5, 6, 7, 1, 2, 3;
-- name: rows_of_content
SELECT j.id, p.mailbox, p.okey FROM content c
  JOIN placement p ON p.content = c.id
  JOIN mailbox m ON m.id = p.mailbox JOIN account a ON a.id = m.account
  JOIN job j ON j.source = a.id
WHERE c.h64 = ?1 AND c.sha256 = ?2
GROUP BY p.mailbox, p.okey, j.id
ORDER BY a.key, m.display, m.uidvalidity, m.id, p.okey, j.id;
-- name: rows_of_msgid
SELECT j.id, p.mailbox, p.okey FROM content c
  JOIN header h ON h.content = c.id
  JOIN placement p ON p.content = c.id
  JOIN mailbox m ON m.id = p.mailbox JOIN account a ON a.id = m.account
  JOIN job j ON j.source = a.id
WHERE c.mid64 = ?1 AND h.message_id = ?2
GROUP BY p.mailbox, p.okey, j.id
ORDER BY a.key, m.display, m.uidvalidity, m.id, p.okey, j.id;
-- ?1, ?2, ?14: which; ?3 to ?11: the query, NULL for any; ?12, ?13: the
-- version that began by the one run and had not ended by the other (struct
-- index_span).  Delivered, but in a later version, reads as pending.
-- name: row
SELECT p.flags, k.list, p.idate, p.zone, p.size, c.sha256, c.size,
  c.header_size, iif(d.outcome = 1 AND p.content IS NULL, 0, d.outcome),
  r.name, d.volume, v.name, d.entry, d.claim, d.frame, d.off, d.survivor,
  h.from_, h.to_, h.cc, h.subject, h.date, h.message_id,
  c.b64, c.identity64, e.name, p.to_run, d.run
FROM delivery d
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
    AND p.from_run <= ?12
    AND coalesce(p.to_run, 9223372036854775807) > ?13
  JOIN run r ON r.id = d.run
  LEFT JOIN volume v ON v.id = d.volume
  LEFT JOIN content c ON c.id = p.content
  LEFT JOIN header h ON h.content = p.content
  LEFT JOIN keywords k ON k.id = p.kw
  LEFT JOIN run e ON e.id = p.to_run
WHERE d.job = ?1 AND d.mailbox = ?2 AND d.okey = ?14
  AND (?3 IS NULL OR
    iif(d.outcome = 1 AND p.content IS NULL, 0, d.outcome) = ?3)
  AND (?4 IS NULL OR d.run = ?4)
  AND (?5 IS NULL OR d.okey = ?5) AND (?6 IS NULL OR p.idate >= ?6)
  AND (?7 IS NULL OR p.idate < ?7) AND (?8 IS NULL OR v.name = ?8)
  AND (?9 IS NULL OR c.sha256 = ?9)
  AND (?10 IS NULL OR (c.mid64 = ?10 AND h.message_id = ?11))
ORDER BY p.from_run DESC LIMIT 1;
-- The same of an entry that was given up for another one.
-- name: row_former
SELECT p.flags, k.list, p.idate, p.zone, p.size, c.sha256, c.size,
  c.header_size, 1, r.name, d.volume, v.name, d.entry, d.claim, d.frame, d.off,
  d.survivor,
  h.from_, h.to_, h.cc, h.subject, h.date, h.message_id,
  c.b64, c.identity64, e.name, p.to_run, d.run
FROM former d
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
    AND p.from_run <= ?12
    AND coalesce(p.to_run, 9223372036854775807) > ?13
  JOIN run r ON r.id = d.run
  LEFT JOIN volume v ON v.id = d.volume
  JOIN content c ON c.id = d.content
  LEFT JOIN header h ON h.content = d.content
  LEFT JOIN keywords k ON k.id = p.kw
  LEFT JOIN run e ON e.id = p.to_run
WHERE d.job = ?1 AND d.mailbox = ?2 AND d.id = ?14
  AND (?3 IS NULL OR ?3 = 1)
  AND (?4 IS NULL OR d.run = ?4)
  AND (?5 IS NULL OR d.okey = ?5) AND (?6 IS NULL OR p.idate >= ?6)
  AND (?7 IS NULL OR p.idate < ?7) AND (?8 IS NULL OR v.name = ?8)
  AND (?9 IS NULL OR c.sha256 = ?9)
  AND (?10 IS NULL OR (c.mid64 = ?10 AND h.message_id = ?11))
ORDER BY p.from_run DESC LIMIT 1;
-- The same words over a whole mailbox; ?13 0: each one's last version.
-- name: mailbox_sum
SELECT count(*), total(coalesce(c.size, p.size)), min(p.idate), max(p.idate)
FROM delivery d
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
    AND p.from_run <= ?12
    AND coalesce(p.to_run, 9223372036854775807) > ?13
  LEFT JOIN volume v ON v.id = d.volume
  LEFT JOIN content c ON c.id = p.content
  LEFT JOIN header h ON h.content = p.content
WHERE d.job = ?1 AND d.mailbox = ?2
  AND (?13 > 0 OR p.from_run = (SELECT max(l.from_run) FROM placement l
    WHERE l.mailbox = p.mailbox AND l.okey = p.okey))
  AND (?3 IS NULL OR
    iif(d.outcome = 1 AND p.content IS NULL, 0, d.outcome) = ?3)
  AND (?4 IS NULL OR d.run = ?4)
  AND (?5 IS NULL OR d.okey = ?5) AND (?6 IS NULL OR p.idate >= ?6)
  AND (?7 IS NULL OR p.idate < ?7) AND (?8 IS NULL OR v.name = ?8)
  AND (?9 IS NULL OR c.sha256 = ?9)
  AND (?10 IS NULL OR (c.mid64 = ?10 AND h.message_id = ?11));
-- name: row_mailbox
SELECT a.key, m.display, m.name, m.special_use, m.uidvalidity, m.restart, a.id,
  m.first_run, m.last_run, m.ended
FROM mailbox m JOIN account a ON a.id = m.account WHERE m.id = ?1;
-- name: row_linked
SELECT entry FROM delivery INDEXED BY delivery_v
WHERE volume = ?1 AND frame = ?2 AND off = ?3 AND claim = 0
UNION ALL
SELECT entry FROM former
WHERE volume = ?1 AND frame = ?2 AND off = ?3 AND claim = 0
LIMIT 1;
-- name: row_body
SELECT s.volume, v.name, s.frame, s.off, c.header_size
FROM stored s JOIN volume v ON v.id = s.volume AND v.state IN (0, 1)
  JOIN content c ON c.id = s.content
WHERE s.content = ?1 AND s.body_of IS NULL
ORDER BY s.volume = ?2 DESC, s.volume LIMIT 1;
-- name: row_note
SELECT class, text FROM note WHERE job = ?1 AND mailbox = ?2 AND okey = ?3
ORDER BY run DESC, class LIMIT 1;
-- name: run_rows
SELECT m.id, s.key, t.key, m.display, m.uidvalidity, rm.scanned, rm.inventory,
  rm.already, rm.delivered, rm.duplicate, rm.excluded, rm.repaired,
  rm.quarantined, rm.unreadable, rm.vanished, rm.unknown
FROM run_mailbox rm JOIN mailbox m ON m.id = rm.mailbox
  JOIN job j ON j.id = rm.job
  JOIN account s ON s.id = j.source JOIN account t ON t.id = j.target
WHERE rm.run = ?1
ORDER BY s.key, t.key, m.display, m.uidvalidity, m.id;
-- A version that another one follows did not end: it changed.
-- name: run_total
-- scan: volumes are few
SELECT
  (SELECT count(*) FROM run_job rj JOIN job j ON j.id = rj.job
    JOIN account a ON a.id = j.source
    WHERE rj.run = ?1 AND rj.state = 1 AND (?2 IS NULL OR a.key = ?2)),
  (SELECT count(*) FROM run_job rj JOIN job j ON j.id = rj.job
    JOIN account a ON a.id = j.source
    WHERE rj.run = ?1 AND rj.state <> 1 AND (?2 IS NULL OR a.key = ?2)),
  (SELECT total(rm.delivered) FROM run_mailbox rm
    JOIN mailbox m ON m.id = rm.mailbox JOIN account a ON a.id = m.account
    WHERE rm.run = ?1 AND (?2 IS NULL OR a.key = ?2)),
  (SELECT count(*) FROM placement p INDEXED BY placement_to
    CROSS JOIN mailbox m ON m.id = p.mailbox
    CROSS JOIN account a ON a.id = m.account
    WHERE p.to_run = ?1 AND p.content IS NOT NULL
    AND (?2 IS NULL OR a.key = ?2)
    AND NOT EXISTS (SELECT 1 FROM placement n WHERE n.mailbox = p.mailbox
      AND n.okey = p.okey AND n.from_run > p.from_run AND n.from_run <= ?1)),
  (SELECT total(v.committed) FROM volume v
    WHERE v.run = ?1 AND v.state IN (0, 1, 4) AND NOT EXISTS (
      SELECT 1 FROM volume o WHERE o.replaced_by = v.id));
-- name: run_boxes
-- scan: each mailbox once; there are few beside the messages
SELECT s.key, s.kind, t.key, m.display, m.name, m.uidvalidity, m.restart,
  m.separator, m.special_use, m.subscribed, m.mailbox_id,
  m.last_run IS NOT NULL, m.ended IS ?1, b.name, b.uidvalidity, b.restart,
  rm.run IS NOT NULL, rm.scanned, rm.inventory, rm.already,
  rm.delivered, rm.duplicate, rm.excluded, rm.repaired, rm.quarantined,
  rm.unreadable, rm.vanished, rm.unknown
FROM job j JOIN account s ON s.id = j.source JOIN account t ON t.id = j.target
  JOIN mailbox m ON m.account = j.source
  LEFT JOIN mailbox b ON b.id = m.replaced_by
  LEFT JOIN run_mailbox rm
    ON rm.run = ?1 AND rm.job = j.id AND rm.mailbox = m.id
WHERE t.kind = 'archive' AND (rm.run IS NOT NULL OR m.first_run = ?1
  OR m.last_run = ?1 OR m.ended = ?1)
ORDER BY s.key, t.key, m.name, m.uidvalidity, m.restart, m.id;
-- name: total_contents
-- scan: totals are over everything
SELECT count(*), total(size) FROM content;
-- name: total_placements
-- scan: totals are over everything
SELECT count(*), total(c.size)
FROM placement p JOIN content c ON c.id = p.content WHERE p.to_run IS NULL;
-- name: total_volumes
-- scan: totals are over everything; volumes are few
SELECT total(state = 1), total(state = 0),
  total(CASE WHEN state IN (0, 1) THEN committed END) FROM volume;

-- ---- what find takes from the index --------------------------------------
-- name: find_top
SELECT max(id) FROM content;
-- name: find_last_run
SELECT max(id) FROM run;
-- name: find_key
SELECT h64 FROM content WHERE id = ?1;
-- name: find_contents
SELECT c.id, c.h64, c.size, h.from_, h.to_, h.cc, h.subject
FROM content c LEFT JOIN header h ON h.content = c.id
WHERE c.id > ?1 ORDER BY c.id;
-- name: find_dates
SELECT max(idate), min(idate) FROM placement WHERE content = ?1;
-- name: find_run_dates
SELECT p.content, p.idate FROM delivery d INDEXED BY delivery_run
  JOIN placement p ON p.mailbox = d.mailbox AND p.okey = d.okey
WHERE d.run = ?1 AND p.content <= ?2 AND p.idate IS NOT NULL;
-- name: find_body
SELECT id, sha256, size FROM content WHERE id > ?1 ORDER BY id LIMIT 1;
-- name: find_mailboxes
-- scan: each mailbox once; there are few beside the messages
SELECT m.id, a.id, a.key, m.display, m.special_use, m.uidvalidity
FROM mailbox m JOIN account a ON a.id = m.account ORDER BY m.id;
-- ?5: only those with keywords; ?6, ?7: began by the one run, and had not ended
-- by the other; ?8: only those with a date, from ?9 and before ?10.
-- name: find_in_mailbox
SELECT content, kw FROM placement
WHERE mailbox = ?1 AND content <= ?2 AND (flags & ?3) = ?4
  AND (NOT ?5 OR kw IS NOT NULL)
  AND from_run <= ?6 AND coalesce(to_run, 9223372036854775807) > ?7
  AND (NOT ?8 OR (idate >= ?9 AND idate < ?10));
-- The same where nothing but flags is asked for, in half the time.
-- name: find_live_in_mailbox
SELECT content FROM placement
WHERE mailbox = ?1 AND to_run IS NULL AND (flags & ?2) = ?3;
-- name: count_live_in_mailbox
SELECT count(*) FROM placement
WHERE mailbox = ?1 AND to_run IS NULL AND (flags & ?2) = ?3 AND content <= ?4;
-- In all mailboxes, all that have a content up to ?1.  The first count reads no
-- row, and the last two find next to none: that is the way to count a million.
-- name: count_live
-- scan: SQLite counts what its pages hold
SELECT (SELECT count(*) FROM placement)
  - (SELECT count(*) FROM placement WHERE to_run IS NOT NULL)
  - (SELECT count(*) FROM placement WHERE content IS NULL AND to_run IS NULL)
  - (SELECT count(*) FROM placement WHERE content > ?1 AND to_run IS NULL);
-- Those of them with the flags ?3 of ?2.
-- name: count_live_flags
-- scan: every placement has flags
SELECT (SELECT count(*) FROM placement NOT INDEXED
    WHERE to_run IS NULL AND (flags & ?2) = ?3)
  - (SELECT count(*) FROM placement
    WHERE content IS NULL AND to_run IS NULL AND (flags & ?2) = ?3)
  - (SELECT count(*) FROM placement
    WHERE content > ?1 AND to_run IS NULL AND (flags & ?2) = ?3);
-- Are those that ended (each to be looked up) few beside all?
-- name: few_ended
-- scan: SQLite counts what its pages hold
SELECT (SELECT count(*) FROM placement) / 16 >=
  (SELECT count(*) FROM placement WHERE to_run IS NOT NULL);
-- All placements out of the smallest index, then those that ended, below zero.
-- name: find_all_places
SELECT content FROM placement INDEXED BY placement_c WHERE content > 0
UNION ALL
SELECT -content FROM placement INDEXED BY placement_to
WHERE to_run IS NOT NULL AND content > 0;
-- name: find_keywords
-- scan: lists of keywords are few beside the messages
SELECT id, list FROM keywords;
-- name: find_message_id
SELECT c.id FROM content c JOIN header h ON h.content = c.id
WHERE c.mid64 = ?1 AND h.message_id = ?2;
-- name: find_places
SELECT p.mailbox, p.okey, p.from_run, p.to_run, p.flags, k.list, p.idate, p.zone
FROM placement p LEFT JOIN keywords k ON k.id = p.kw
WHERE p.content = ?1 ORDER BY p.idate DESC, p.mailbox, p.okey, p.from_run;
-- name: find_content
SELECT c.sha256, c.size, h.from_, h.to_, h.cc, h.subject, h.date, h.message_id
FROM content c LEFT JOIN header h ON h.content = c.id WHERE c.id = ?1;

-- ---- small volumes merged into full ones ---------------------------------
-- An entry that was given up keeps its volume as it is.
-- name: repack_candidates
-- scan: volumes are few
SELECT v.name, v.committed, v.sha256 FROM volume v
WHERE v.state = 1 AND v.committed < ?1
  AND NOT EXISTS (SELECT 1 FROM former f WHERE f.volume = v.id) ORDER BY v.id;
-- name: repack_draft
INSERT INTO volume (archive, name, run, state) VALUES (?1, ?2, ?3, 5);
-- name: repack_separator
SELECT m.separator FROM account a
  JOIN mailbox m ON m.account = a.id AND m.name = ?2 AND m.uidvalidity = ?3
    AND m.restart = ?4
WHERE a.key = ?1
  AND a.kind IN ('imap', 'pop3', 'maildir', 'mbox', 'eml', 'pst') LIMIT 1;
-- name: repack_put
INSERT INTO moved (volume, frame, off, content, whole, to_volume, to_frame,
  to_off)
SELECT v.id, ?2, ?3, c.id, ?5, t.id, ?7, ?8
FROM volume v, volume t, content c
WHERE v.name = ?1 AND t.name = ?6 AND c.id = ?4;
-- name: repack_place
SELECT t.name, m.to_frame, m.to_off FROM volume v
  JOIN moved m ON m.volume = v.id AND m.frame = ?2 AND m.off = ?3
  JOIN volume t ON t.id = m.to_volume AND (t.state <> 5) = ?4
WHERE v.name = ?1;
-- The first whole copy of what lies there: the one that the index will know.
-- name: repack_body
SELECT t.name, w.to_frame, w.to_off FROM volume v
  JOIN moved m ON m.volume = v.id AND m.frame = ?2 AND m.off = ?3
  JOIN volume t ON t.id = m.to_volume AND t.state = 5
  JOIN moved w ON w.to_volume = m.to_volume AND w.content = m.content
    AND w.whole
WHERE v.name = ?1 ORDER BY w.to_frame, w.to_off LIMIT 1;
-- name: repack_replace
UPDATE volume SET state = 4, replaced_by = ?2, frames = 0, plain = 0
WHERE name = ?1 AND state = 1;
-- name: repack_unframe
DELETE FROM frame WHERE volume = ?1;
-- name: repack_deliveries
UPDATE delivery INDEXED BY delivery_v
SET volume = ?2, frame = m.to_frame, off = m.to_off
FROM moved m WHERE m.volume = ?1 AND m.to_volume = ?2
  AND delivery.volume = ?1 AND delivery.frame = m.frame
  AND delivery.off = m.off;
-- name: repack_stored
INSERT INTO stored (content, volume, frame, off, body_of)
SELECT s.content, ?2, m.to_frame, m.to_off, s.body_of
FROM moved m JOIN stored s ON s.content = m.content AND s.volume = m.volume
  AND s.frame = m.frame AND s.off = m.off
WHERE m.volume = ?1 AND m.whole = ?3 ORDER BY m.to_frame, m.to_off
ON CONFLICT (content, volume) DO NOTHING;
-- Copies and deliveries that would be left behind; each copy is looked at.
-- name: repack_left
SELECT count(*) FROM stored s
WHERE s.volume IN (SELECT id FROM volume WHERE replaced_by = ?1)
  AND NOT EXISTS (SELECT 1 FROM moved m WHERE m.volume = s.volume
    AND m.frame = s.frame AND m.off = s.off AND m.content = s.content);
-- name: repack_behind
SELECT count(*) FROM volume v JOIN delivery d ON d.volume = v.id
WHERE v.replaced_by = ?1;
-- name: repack_unstore
DELETE FROM stored WHERE volume = ?1
  AND content IN (SELECT content FROM moved WHERE volume = ?1);
-- Whatever named another copy of the same finds the one that is known.
-- name: repack_first
UPDATE moved SET to_frame = s.frame, to_off = s.off
FROM stored s WHERE moved.to_volume = ?1 AND moved.whole
  AND s.content = moved.content AND s.volume = ?1 AND s.body_of IS NULL;
-- Only references in other volumes, which nobody can change, name old places.
-- name: repack_forget
-- scan: each delivery once a volume that was merged
DELETE FROM moved WHERE to_volume = ?1 AND content NOT IN (
  SELECT survivor FROM delivery
  WHERE claim = 2 AND survivor IS NOT NULL AND volume <> ?1
  UNION SELECT survivor FROM former
  WHERE claim = 2 AND survivor IS NOT NULL);
-- name: repack_heads
DELETE FROM moved WHERE to_volume = ?1 AND NOT whole;
-- name: repack_done
UPDATE moved SET content = NULL WHERE to_volume = ?1;
-- name: repack_unmove
DELETE FROM moved WHERE to_volume = ?1;
-- name: repack_undraft
DELETE FROM volume WHERE id = ?1 AND state = 5;
-- name: replaced_volumes
-- scan: volumes are few
SELECT v.name, v.committed, v.sha256, t.name, t.committed, r.name
FROM volume v JOIN volume t ON t.id = v.replaced_by
  JOIN run r ON r.id = t.sealed_run
WHERE v.state = 4 ORDER BY v.id;
-- name: moves
-- scan: volumes are few; what was moved into them is found by an index
SELECT v.name, m.frame, m.off, t.name, m.to_frame, m.to_off
FROM volume t CROSS JOIN moved m INDEXED BY moved_to ON m.to_volume = t.id
  JOIN volume v ON v.id = m.volume
WHERE t.sealed_run = ?1 ORDER BY v.id, m.frame, m.off;

-- ---- compared with what a manifest told --------------------------------
-- The version that stood last in a run. Account keys are of one kind each but
-- for chance: a manifest's line about a message doesn't tell it.
-- name: version_of
SELECT p.flags, k.list, p.idate, p.zone, p.size, c.sha256, c.size,
  c.header_size, h.from_, h.to_, h.cc, h.subject, h.date, h.message_id, c.b64,
  c.identity64, p.to_run
FROM account a
  JOIN mailbox m ON m.account = a.id AND m.name = ?2 AND m.uidvalidity = ?3
    AND m.restart = ?4
  JOIN placement p ON p.mailbox = m.id AND p.okey = ?5 AND p.from_run <= ?6
    AND coalesce(p.to_run, 9223372036854775807) >= ?6
  LEFT JOIN content c ON c.id = p.content
  LEFT JOIN header h ON h.content = p.content
  LEFT JOIN keywords k ON k.id = p.kw
WHERE a.key = ?1
  AND a.kind IN ('imap', 'pop3', 'maildir', 'mbox', 'eml', 'pst')
ORDER BY p.from_run DESC LIMIT 1;
-- Messages that went in a run and did not come back in it.
-- name: ended_in
-- scan: the run's ended versions, found by their index, are its subquery
SELECT count(*) FROM (SELECT DISTINCT p.mailbox, p.okey
  FROM placement p INDEXED BY placement_to
  WHERE p.to_run = ?1 AND NOT EXISTS (SELECT 1 FROM placement q
    WHERE q.mailbox = p.mailbox AND q.okey = p.okey AND q.from_run <= ?1
      AND coalesce(q.to_run, 9223372036854775807) > ?1));

-- ---- a new index out of an archive -------------------------------------
-- Tables and indexes of this section last as long as the filling does.
-- name: rebuild_sync
PRAGMA synchronous = OFF;
-- name: rebuild_cache
PRAGMA cache_size = -32768;
-- Answers with the mode it is in.
-- name: rebuild_retire
PRAGMA journal_mode = DELETE;
-- References whose bodies' copies may not have been told yet.
-- name: rebuild_body
CREATE TABLE rebuild_body (content INT NOT NULL, volume INT NOT NULL,
  frame INT NOT NULL, off INT NOT NULL, body_volume TEXT NOT NULL,
  body_frame INT NOT NULL, body_off INT NOT NULL,
  PRIMARY KEY (volume, frame, off)) STRICT, WITHOUT ROWID;
-- name: rebuild_place
CREATE INDEX rebuild_place ON stored (volume, frame, off);
-- name: rebuild_body_drop
DROP TABLE rebuild_body;
-- name: rebuild_place_drop
DROP INDEX rebuild_place;
-- name: rebuild_run_find
SELECT id FROM run WHERE name = ?1;
-- name: rebuild_run_put
INSERT INTO run (name, started, ended, state, command, manifest_sha256)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE SET started = excluded.started,
  ended = excluded.ended, state = excluded.state, command = excluded.command,
  manifest_sha256 = coalesce(excluded.manifest_sha256, manifest_sha256);
-- name: rebuild_run_job
INSERT INTO run_job (run, job, state, started, ended, exit_code, text, partial)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (run, job) DO NOTHING;
-- name: rebuild_box_find
SELECT id FROM mailbox
WHERE account = ?1 AND name = ?2 AND uidvalidity = ?3 AND restart = ?4;
-- name: rebuild_box_insert
INSERT INTO mailbox (account, name, uidvalidity, restart, display, first_run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);
-- ?6: it has ended; ?7: in this run, if not before; ?8: nothing stands in it.
-- name: rebuild_box_update
UPDATE mailbox SET display = ?2, separator = ?3, special_use = ?4,
  mailbox_id = ?5,
  subscribed = ?9, last_run = iif(?6, coalesce(last_run, ?7), NULL),
  ended = iif(?6, iif(?8, ?7, ended), NULL), replaced_by = iif(?6, ?10, NULL)
WHERE id = ?1;
-- name: rebuild_box_of
SELECT m.id FROM mailbox m
  JOIN placement p ON p.mailbox = m.id AND p.okey = ?4 AND p.content = ?5
WHERE m.account = ?1 AND m.name = ?2 AND m.uidvalidity = ?3
ORDER BY m.restart DESC LIMIT 1;
-- name: rebuild_volume_find
SELECT id, state, frames, run FROM volume WHERE name = ?1;
-- name: rebuild_volume_lost
INSERT INTO volume (archive, name, run, state, committed, sha256, sealed_run)
VALUES (?1, ?2, ?3, 3, ?4, ?5, ?3) ON CONFLICT (name) DO NOTHING;
-- name: rebuild_expected
SELECT sha256 FROM volume
WHERE name = ?1 AND state = 1 AND sha256 <> zeroblob(32);
-- name: rebuild_whole
SELECT frame, off FROM stored
WHERE content = ?1 AND volume = ?2 AND body_of IS NULL;
-- name: rebuild_body_put
INSERT INTO rebuild_body (content, volume, frame, off, body_volume, body_frame,
  body_off) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (volume, frame, off) DO NOTHING;
-- name: rebuild_delivery
SELECT d.outcome, d.run, d.volume, d.frame, d.off, d.claim,
  r.manifest_sha256 IS NOT NULL
FROM delivery d JOIN run r ON r.id = d.run
WHERE d.job = ?1 AND d.mailbox = ?2 AND d.okey = ?3;
-- name: rebuild_former
INSERT INTO former (job, mailbox, okey, run, volume, entry, claim, frame, off,
  survivor, content)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
WHERE NOT EXISTS (SELECT 1 FROM former
  WHERE volume = ?5 AND frame = ?8 AND off = ?9 AND claim = ?7 AND job = ?1
    AND mailbox = ?2 AND okey = ?3);
-- name: rebuild_count
SELECT (SELECT count(*) FROM delivery WHERE volume = v.id) +
  (SELECT count(*) FROM former WHERE volume = v.id)
FROM volume v WHERE v.name = ?1;
-- What lies in a volume, in its order.
-- name: rebuild_stored
SELECT s.content, s.frame, s.off, iif(s.body_of IS NULL, c.size, c.header_size)
FROM stored s INDEXED BY rebuild_place JOIN content c ON c.id = s.content
WHERE s.volume = ?1 ORDER BY s.frame, s.off;
-- name: rebuild_headers
SELECT r.content, r.frame, r.off, c.header_size
FROM rebuild_body r JOIN content c ON c.id = r.content
WHERE r.volume = ?1 ORDER BY r.frame, r.off;
-- name: rebuild_cut
UPDATE volume SET cut = 1 WHERE id = ?1 AND state = 0 AND cut = 0;
-- name: rebuild_is_cut
SELECT cut FROM volume WHERE id = ?1;
-- rebuild_forget_*: all that was told to lie in a volume.
-- name: rebuild_forget_stored
DELETE FROM stored WHERE volume = ?1;
-- name: rebuild_forget_bodies
DELETE FROM rebuild_body WHERE volume = ?1;
-- name: rebuild_forget_former
DELETE FROM former WHERE volume = ?1;
-- name: rebuild_forget_entries
UPDATE delivery SET volume = NULL, entry = NULL, claim = 3, frame = NULL,
  off = NULL, survivor = NULL
WHERE volume = ?1;
-- name: rebuild_unstore
DELETE FROM stored WHERE content = ?1 AND volume = ?2;
-- name: rebuild_unbody
DELETE FROM rebuild_body WHERE volume = ?1 AND frame = ?2 AND off = ?3;
-- name: rebuild_displace
UPDATE delivery INDEXED BY delivery_v SET volume = NULL, entry = NULL,
  claim = 3, frame = NULL, off = NULL, survivor = NULL
WHERE volume = ?1 AND frame = ?2 AND off = ?3;
-- name: rebuild_displace_former
DELETE FROM former WHERE volume = ?1 AND frame = ?2 AND off = ?3;
-- name: rebuild_replaced
UPDATE volume SET state = 4, replaced_by = (SELECT id FROM volume
  WHERE name = ?2) WHERE name = ?1 AND state = 3
  AND EXISTS (SELECT 1 FROM volume WHERE name = ?2);
-- name: rebuild_moved
INSERT INTO moved (volume, frame, off, whole, to_volume, to_frame, to_off)
SELECT v.id, ?2, ?3, 1, t.id, ?5, ?6 FROM volume v, volume t
WHERE v.name = ?1 AND t.name = ?4 ON CONFLICT (volume, frame, off) DO NOTHING;
-- One step nearer to where the octets lie now.
-- name: rebuild_follow
-- scan: references of which no more is known than their places
UPDATE rebuild_body SET body_volume = t.name, body_frame = m.to_frame,
  body_off = m.to_off
FROM volume v CROSS JOIN moved m CROSS JOIN volume t
WHERE v.name = rebuild_body.body_volume AND v.state NOT IN (0, 1)
  AND m.volume = v.id AND m.frame = rebuild_body.body_frame
  AND m.off = rebuild_body.body_off AND t.id = m.to_volume;
-- name: rebuild_refer
-- scan: references of which no more is known than their places
INSERT INTO stored (content, volume, frame, off, body_of)
SELECT r.content, r.volume, r.frame, r.off, s.content
FROM rebuild_body r CROSS JOIN volume v ON v.name = r.body_volume
  CROSS JOIN stored s INDEXED BY rebuild_place ON s.volume = v.id
    AND s.frame = r.body_frame AND s.off = r.body_off AND s.body_of IS NULL
WHERE true ORDER BY r.volume, r.frame, r.off
ON CONFLICT (content, volume) DO NOTHING;
-- name: rebuild_survive
-- scan: the same
UPDATE delivery SET survivor = s.content
FROM rebuild_body r CROSS JOIN volume v ON v.name = r.body_volume
  CROSS JOIN stored s INDEXED BY rebuild_place ON s.volume = v.id
    AND s.frame = r.body_frame AND s.off = r.body_off AND s.body_of IS NULL
WHERE delivery.volume = r.volume AND delivery.frame = r.frame
  AND delivery.off = r.off AND delivery.claim = 2;
-- name: rebuild_survive_former
-- scan: the same
UPDATE former SET survivor = s.content
FROM rebuild_body r CROSS JOIN volume v ON v.name = r.body_volume
  CROSS JOIN stored s INDEXED BY rebuild_place ON s.volume = v.id
    AND s.frame = r.body_frame AND s.off = r.body_off AND s.body_of IS NULL
WHERE former.volume = r.volume AND former.frame = r.frame
  AND former.off = r.off AND former.claim = 2;
-- Contents of which no copy is left.
-- name: rebuild_lost
-- scan: each content once
SELECT c.id, c.sha256 FROM content c
WHERE NOT EXISTS (SELECT 1 FROM stored s
  JOIN volume v ON v.id = s.volume AND v.state IN (0, 1)
  WHERE s.content = c.id AND (s.body_of IS NULL OR EXISTS (
    SELECT 1 FROM stored b JOIN volume w ON w.id = b.volume
      AND w.state IN (0, 1)
    WHERE b.content = s.body_of AND b.body_of IS NULL)))
ORDER BY c.id;
-- name: rebuild_lost_rows
SELECT j.id, p.mailbox, p.okey, d.run, max(p.to_run IS NULL), a.key, m.display,
  m.uidvalidity
FROM placement p JOIN mailbox m ON m.id = p.mailbox
  JOIN account a ON a.id = m.account JOIN job j ON j.source = a.id
  JOIN delivery d ON d.job = j.id AND d.mailbox = p.mailbox AND d.okey = p.okey
WHERE p.content = ?1 AND d.outcome = 1
GROUP BY j.id, p.mailbox, p.okey;
-- name: rebuild_lose
UPDATE delivery SET outcome = ?4, volume = NULL, entry = NULL, claim = NULL,
  frame = NULL, off = NULL, survivor = NULL
WHERE job = ?1 AND mailbox = ?2 AND okey = ?3;
