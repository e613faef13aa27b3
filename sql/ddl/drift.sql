-- Grain: one row a run and comparison: a relation's pairs, or a universe's supports.
-- Source: batch/outputs.py, from batch/drift.py; added to.
CREATE TABLE IF NOT EXISTS varde.drift (
  run_id STRING OPTIONS (description = 'The run; one start of the job.'),
  started TIMESTAMP OPTIONS (description = 'When the run began.'),
  kind STRING OPTIONS (description = '`pairs` or `supports`.'),
  name STRING OPTIONS (description = 'The relation, or the universe of supports.'),
  compared INT64 OPTIONS (description = 'Numbers that either side has.'),
  equal INT64 OPTIONS (description = 'Of them, equal ones.'),
  different INT64 OPTIONS (description = 'Of them, different ones.'),
  apart INT64 OPTIONS (description = 'All differences, added up.'),
  relative FLOAT64 OPTIONS (description = '`apart` as a part of the night\'s sum.'),
  live INT64 OPTIONS (description = 'Sum of the live counts.'),
  nightly INT64 OPTIONS (description = 'Sum of the night\'s counts.')
)
PARTITION BY DATE(started)
CLUSTER BY name
OPTIONS (partition_expiration_days = 400, description = 'How live counts differed from the night\'s, by run. For reports.')
