-- Grain: one row a list that was shown to a unit of an experiment.
-- Source: sql/experiment_lists.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_lists (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  list_id STRING OPTIONS (description = 'The list: the same when it is rendered again within the window.'),
  exposure_id STRING OPTIONS (description = 'The exposure: the same for all lists within the window.'),
  unit_kind STRING OPTIONS (description = 'Which id was dealt a variation: `uid` or `aid`.'),
  unit STRING OPTIONS (description = 'That id.'),
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  variation_index INT64 OPTIONS (description = 'Place of the variation in the configuration, from 0; -1 in a team draft.'),
  placement STRING OPTIONS (description = 'Name of the placement.'),
  request_id STRING OPTIONS (description = 'Of the answer.'),
  rung STRING OPTIONS (description = 'Rung of the ladder that the list begins with.'),
  latency_ms FLOAT64 OPTIONS (description = 'Milliseconds that the server took.'),
  items STRING OPTIONS (description = 'JSON: the items with position, rung and team.'),
  impressions INT64 OPTIONS (description = 'Items in the list.'),
  time INT64 OPTIONS (description = 'When it was served, ms since the epoch.'),
  day INT64 OPTIONS (description = 'UTC day, in days since the epoch.')
)
CLUSTER BY experiment
OPTIONS (description = 'Lists that units of experiments were shown.')
