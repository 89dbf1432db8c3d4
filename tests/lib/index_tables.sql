-- All that an index holds, by names instead of row ids, so that two indexes of
-- one archive can be compared. Not told: delta and email, which no volume or
-- manifest knows, and whether a header field that says nothing is there.
.mode tabs
.nullvalue -
CREATE TEMP VIEW box AS SELECT m.id, a.key || ' ' || hex(m.name) || ' ' ||
  m.uidvalidity || ' ' || m.restart AS name
  FROM mailbox m JOIN account a ON a.id = m.account;
CREATE TEMP VIEW sha AS SELECT id, hex(sha256) AS name FROM content;
SELECT 'account', kind, key FROM account ORDER BY 2, 3;
SELECT 'job', s.kind, s.key, t.kind, t.key FROM job j
  JOIN account s ON s.id = j.source JOIN account t ON t.id = j.target
  ORDER BY 2, 3, 4, 5;
SELECT 'run', name, started, ended, state, command, hex(manifest_sha256)
  FROM run ORDER BY id;
SELECT 'run_job', r.name, s.key, j.state, j.started, j.ended, j.exit_code,
  j.text, j.partial FROM run_job j JOIN run r ON r.id = j.run JOIN job k ON k.id = j.job
  JOIN account s ON s.id = k.source ORDER BY 2, 3;
SELECT 'mailbox', b.name, m.display, m.separator, m.special_use, m.mailbox_id,
  m.subscribed, f.name, l.name, e.name, o.name
  FROM mailbox m JOIN box b ON b.id = m.id JOIN run f ON f.id = m.first_run
  LEFT JOIN run l ON l.id = m.last_run LEFT JOIN run e ON e.id = m.ended
  LEFT JOIN box o ON o.id = m.replaced_by ORDER BY 2;
SELECT 'run_mailbox', r.name, b.name, m.scanned, m.inventory, m.already,
  m.delivered, m.duplicate, m.excluded, m.repaired, m.quarantined,
  m.unreadable, m.vanished, m.unknown
  FROM run_mailbox m JOIN run r ON r.id = m.run JOIN box b ON b.id = m.mailbox
  ORDER BY 2, 3;
SELECT 'content', hex(sha256), h64, size, header_size, b64, mid64, identity64
  FROM content ORDER BY 2;
SELECT 'header', s.name, coalesce(message_id, ''), coalesce(from_, ''),
  coalesce(to_, ''), coalesce(cc, ''), coalesce(subject, ''),
  coalesce(date, '') FROM header h JOIN sha s ON s.id = h.content ORDER BY 2;
SELECT 'volume', v.name, r.name, v.state, v.committed, v.frames, v.plain,
  hex(v.sha256), s.name FROM volume v JOIN run r ON r.id = v.run
  LEFT JOIN run s ON s.id = v.sealed_run ORDER BY 2;
SELECT 'frame', v.name, f.no, f.offset, f.csize, f.plain, f.dsize
  FROM frame f JOIN volume v ON v.id = f.volume ORDER BY 2, 3;
SELECT 'stored', s.name, v.name, t.frame, t.off, b.name FROM stored t
  JOIN sha s ON s.id = t.content JOIN volume v ON v.id = t.volume
  LEFT JOIN sha b ON b.id = t.body_of ORDER BY 2, 3;
SELECT 'placement', b.name, p.okey, f.name, t.name, s.name, p.flags, k.list,
  p.idate, p.zone, p.size FROM placement p JOIN box b ON b.id = p.mailbox
  JOIN run f ON f.id = p.from_run LEFT JOIN run t ON t.id = p.to_run
  LEFT JOIN sha s ON s.id = p.content LEFT JOIN keywords k ON k.id = p.kw
  ORDER BY 2, 3, 4;
SELECT 'delivery', b.name, d.okey, d.outcome, r.name, v.name, d.entry, d.claim,
  d.frame, d.off, s.name FROM delivery d JOIN box b ON b.id = d.mailbox
  JOIN run r ON r.id = d.run LEFT JOIN volume v ON v.id = d.volume
  LEFT JOIN sha s ON s.id = d.survivor ORDER BY 2, 3;
SELECT 'former', b.name, d.okey, r.name, c.name, v.name, d.entry, d.claim,
  d.frame, d.off, s.name FROM former d JOIN box b ON b.id = d.mailbox
  JOIN run r ON r.id = d.run JOIN volume v ON v.id = d.volume
  JOIN sha c ON c.id = d.content LEFT JOIN sha s ON s.id = d.survivor
  ORDER BY 2, 3, 4;
SELECT 'note', b.name, n.okey, r.name, n.class, n.text FROM note n
  JOIN box b ON b.id = n.mailbox JOIN run r ON r.id = n.run ORDER BY 2, 3, 4, 5;
