-- Grain: one row a pair of ids under which a required consent was withdrawn: the latest time. One of the ids may be
--   NULL.
-- Source: sql/withdrawals.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.withdrawals (
  user_id STRING OPTIONS (description = 'The userId it was said under.'),
  anonymous_id STRING OPTIONS (description = 'The anonymousId it was said under.'),
  time INT64 OPTIONS (description = 'The latest time, ms since the epoch.')
)
OPTIONS (description = 'Consents that were withdrawn.')
