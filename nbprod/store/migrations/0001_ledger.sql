CREATE TABLE alerts (
  id TEXT NOT NULL,
  deployment TEXT NOT NULL,
  "check" TEXT NOT NULL,
  subject TEXT NOT NULL,
  status TEXT NOT NULL,
  summary TEXT NOT NULL,
  run_id TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  times_seen BIGINT NOT NULL,
  acknowledged_by TEXT,
  resolved_at TEXT,
  note TEXT NOT NULL,
  PRIMARY KEY (id)
)

CREATE INDEX alerts_opened ON alerts (deployment, opened_at, id)

CREATE TABLE deployments (
  name TEXT NOT NULL,
  model TEXT,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  reference TEXT,
  task TEXT,
  target TEXT,
  private TEXT NOT NULL,
  PRIMARY KEY (name)
)

CREATE TABLE events (
  number BIGINT NOT NULL,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  data TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (number)
)

CREATE INDEX events_kind ON events (kind, number)

CREATE INDEX events_subject ON events (subject, number)

CREATE TABLE models (
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  description TEXT NOT NULL,
  PRIMARY KEY (name)
)

CREATE TABLE monitor_reports (
  run_id TEXT NOT NULL,
  deployment TEXT NOT NULL,
  version TEXT,
  start TEXT NOT NULL,
  "end" TEXT NOT NULL,
  verdict TEXT NOT NULL,
  sentence TEXT NOT NULL,
  rows BIGINT NOT NULL,
  outcomes BIGINT NOT NULL,
  checks TEXT NOT NULL,
  changed TEXT NOT NULL,
  metrics TEXT NOT NULL,
  tables TEXT NOT NULL,
  created_at TEXT,
  PRIMARY KEY (run_id)
)

CREATE INDEX monitor_reports_end ON monitor_reports (deployment, "end", run_id)

CREATE TABLE packages (
  digest TEXT NOT NULL,
  folder TEXT NOT NULL,
  run_id TEXT,
  task TEXT NOT NULL,
  format TEXT NOT NULL,
  target TEXT NOT NULL,
  created_at TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  metrics TEXT NOT NULL,
  PRIMARY KEY (digest)
)

CREATE INDEX packages_created ON packages (created_at, digest)

CREATE INDEX packages_run ON packages (run_id)

CREATE TABLE runs (
  id TEXT NOT NULL,
  template TEXT NOT NULL,
  source TEXT NOT NULL,
  template_digest TEXT NOT NULL,
  status TEXT NOT NULL,
  folder TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  ended_at TEXT,
  parameters TEXT NOT NULL,
  metrics TEXT NOT NULL,
  cause TEXT,
  failed_cell TEXT,
  error TEXT,
  caused_by TEXT,
  actor TEXT NOT NULL,
  data TEXT NOT NULL,
  git TEXT,
  environment TEXT,
  PRIMARY KEY (id)
)

CREATE INDEX runs_caused_by ON runs (caused_by, created_at, id)

CREATE INDEX runs_created ON runs (created_at, id)

CREATE INDEX runs_status ON runs (status, created_at, id)

CREATE INDEX runs_template ON runs (template, created_at, id)

CREATE TABLE model_versions (
  model TEXT NOT NULL,
  number BIGINT NOT NULL,
  package TEXT NOT NULL,
  run_id TEXT,
  registered_at TEXT NOT NULL,
  registered_by TEXT NOT NULL,
  approval TEXT NOT NULL,
  decided_at TEXT,
  decided_by TEXT,
  note TEXT NOT NULL,
  evidence TEXT NOT NULL,
  blessed_at TEXT,
  caused_by TEXT,
  PRIMARY KEY (model, number),
  FOREIGN KEY(model) REFERENCES models (name),
  FOREIGN KEY(package) REFERENCES packages (digest)
)

CREATE UNIQUE INDEX model_versions_package ON model_versions (model, package)

CREATE INDEX model_versions_registered ON model_versions (registered_at, model, number)

CREATE TABLE aliases (
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  number BIGINT NOT NULL,
  moved_at TEXT NOT NULL,
  moved_by TEXT NOT NULL,
  PRIMARY KEY (model, name),
  FOREIGN KEY(model, number) REFERENCES model_versions (model, number)
)

CREATE UNIQUE INDEX alerts_one_unresolved ON alerts (deployment, "check", subject) WHERE status <> 'resolved'
