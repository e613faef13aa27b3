-- Grain: one row, in production; none where nothing is copied from.
-- Source: deploy/refresh --set-up, which lets BigQuery draw it; only ever added to.
CREATE TABLE IF NOT EXISTS varde.pseudonym_key (
  key STRING OPTIONS (description = 'Hexadecimal; it never leaves BigQuery.')
)
OPTIONS (description = 'What the ids of customers are hashed with for development.')
