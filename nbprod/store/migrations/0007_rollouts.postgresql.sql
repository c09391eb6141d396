CREATE TABLE rollouts (
  id TEXT NOT NULL,
  deployment TEXT NOT NULL,
  candidate TEXT NOT NULL,
  stable TEXT NOT NULL,
  alias TEXT,
  status TEXT NOT NULL,
  "plan" TEXT NOT NULL,
  metrics TEXT NOT NULL,
  alpha DOUBLE PRECISION NOT NULL,
  slow_ms DOUBLE PRECISION NOT NULL,
  horizon TEXT NOT NULL,
  longest TEXT NOT NULL,
  lease TEXT NOT NULL,
  step_units BIGINT NOT NULL,
  keep_previous TEXT NOT NULL,
  holdback DOUBLE PRECISION NOT NULL,
  automation TEXT NOT NULL,
  salt TEXT NOT NULL,
  started_at TEXT NOT NULL,
  started_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  waive TEXT NOT NULL,
  step BIGINT NOT NULL,
  step_since TEXT NOT NULL,
  lease_until TEXT NOT NULL,
  ended_at TEXT,
  ended_because TEXT NOT NULL,
  previous_until TEXT,
  PRIMARY KEY (id)
)

CREATE UNIQUE INDEX rollouts_one_open ON rollouts (deployment) WHERE status IN ('running', 'paused')

CREATE INDEX rollouts_started ON rollouts (deployment, started_at, id)

CREATE TABLE rollout_analyses (
  run_id TEXT NOT NULL,
  rollout TEXT NOT NULL,
  at TEXT NOT NULL,
  step BIGINT NOT NULL,
  decision TEXT NOT NULL,
  failure TEXT NOT NULL,
  evidence TEXT NOT NULL,
  tables TEXT NOT NULL,
  sentence TEXT NOT NULL,
  acted TEXT NOT NULL,
  PRIMARY KEY (run_id)
)

CREATE INDEX rollout_analyses_at ON rollout_analyses (rollout, at, run_id)
