-- Grain: one row a run, source and reason.
-- Source: batch/outputs.py, from sql/faults.sql; added to.
CREATE TABLE IF NOT EXISTS varde.data_quality (
  run_id STRING OPTIONS (description = 'The run; one start of the job.'),
  started TIMESTAMP OPTIONS (description = 'When the run began.'),
  source STRING OPTIONS (description = '`view`, `cart`, `purchase`, `return`, `sale`, `catalogue`, `message` or `link`.'),
  reason STRING OPTIONS (description = 'The first reason.'),
  messages INT64 OPTIONS (description = 'How many.')
)
PARTITION BY DATE(started)
CLUSTER BY reason
OPTIONS (partition_expiration_days = 400, description = 'Messages and rows that did not count, or not by the time they say, by run. For reports.')
