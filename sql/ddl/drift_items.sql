-- Grain: one row a run, comparison and difference: the largest ones.
-- Source: batch/outputs.py, from batch/drift.py; added to.
CREATE TABLE IF NOT EXISTS varde.drift_items (
  run_id STRING OPTIONS (description = 'The run; one start of the job.'),
  started TIMESTAMP OPTIONS (description = 'When the run began.'),
  kind STRING OPTIONS (description = '`pairs` or `supports`.'),
  name STRING OPTIONS (description = 'The relation, or the universe of supports.'),
  item STRING OPTIONS (description = 'The item of the row; NULL for supports.'),
  other STRING OPTIONS (description = 'The item that is counted; NULL for all customers.'),
  live INT64 OPTIONS (description = 'The live count.'),
  nightly INT64 OPTIONS (description = 'The night\'s count.')
)
PARTITION BY DATE(started)
CLUSTER BY name
OPTIONS (partition_expiration_days = 400, description = 'The largest differences of a run. For reports.')
