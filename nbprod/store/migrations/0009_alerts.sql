ALTER TABLE alerts ADD COLUMN severity TEXT NOT NULL DEFAULT 'warning'

ALTER TABLE alerts ADD COLUMN began TEXT

ALTER TABLE alerts ADD COLUMN ended TEXT

ALTER TABLE alerts ADD COLUMN parts TEXT NOT NULL DEFAULT '[]'

ALTER TABLE alerts ADD COLUMN owner TEXT NOT NULL DEFAULT ''

ALTER TABLE alerts ADD COLUMN runbook TEXT NOT NULL DEFAULT ''

ALTER TABLE alerts ADD COLUMN status_at TEXT

ALTER TABLE alerts ADD COLUMN status_by TEXT

ALTER TABLE alerts ADD COLUMN snoozed_until TEXT

ALTER TABLE alerts ADD COLUMN escalated_at TEXT

ALTER TABLE alerts ADD COLUMN revision BIGINT NOT NULL DEFAULT 0

CREATE TABLE deliveries (
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  alert TEXT NOT NULL,
  changes TEXT NOT NULL,
  severity TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  content TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  sent_at TEXT,
  error TEXT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (id)
)

CREATE INDEX deliveries_due ON deliveries (status, due_at, id)

CREATE INDEX deliveries_alert ON deliveries (alert, due_at, id)
