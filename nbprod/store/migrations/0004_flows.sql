CREATE TABLE pipeline_runs (
  id TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  revision BIGINT NOT NULL,
  ended_at TEXT,
  inputs TEXT NOT NULL,
  steps TEXT NOT NULL,
  caused_by TEXT,
  actor TEXT NOT NULL,
  folder TEXT NOT NULL,
  PRIMARY KEY (id)
)

CREATE INDEX pipeline_runs_created ON pipeline_runs (pipeline, created_at, id)

CREATE INDEX pipeline_runs_caused_by ON pipeline_runs (caused_by, created_at, id)

CREATE TABLE dues (
  id TEXT NOT NULL,
  schedule TEXT NOT NULL,
  due_at TEXT NOT NULL,
  status TEXT NOT NULL,
  revision BIGINT NOT NULL,
  claimed_at TEXT,
  claimed_by TEXT,
  lease_until TEXT,
  job_id TEXT,
  ended_at TEXT,
  reason TEXT NOT NULL,
  PRIMARY KEY (id)
)

CREATE INDEX dues_due ON dues (schedule, due_at, id)

CREATE INDEX dues_status ON dues (status, due_at, id)
