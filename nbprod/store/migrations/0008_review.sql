ALTER TABLE deployments ADD COLUMN review TEXT NOT NULL DEFAULT ''

CREATE TABLE review_claims (
  deployment TEXT NOT NULL,
  prediction_id TEXT NOT NULL,
  place BIGINT NOT NULL,
  reviewer TEXT NOT NULL,
  claimed_at TEXT NOT NULL,
  until TEXT NOT NULL,
  PRIMARY KEY (deployment, prediction_id, place)
)
