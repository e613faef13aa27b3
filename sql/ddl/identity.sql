-- Grain: one row an anonymousId that belongs to a user.
-- Source: sql/identity.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.identity (
  anonymous_id STRING OPTIONS (description = 'Segment\'s anonymousId.'),
  user_id STRING OPTIONS (description = 'The user of the earliest link.'),
  time INT64 OPTIONS (description = 'When it was linked, ms since the epoch.')
)
OPTIONS (description = 'Which user an anonymousId belongs to.')
