CREATE TABLE tokens (
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  revoked_at TEXT,
  revoked_by TEXT,
  PRIMARY KEY (name)
)

CREATE UNIQUE INDEX tokens_id ON tokens (id)

ALTER TABLE deployments ADD COLUMN unseen TEXT NOT NULL DEFAULT 'accept'
