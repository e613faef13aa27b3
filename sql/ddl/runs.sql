-- Grain: one row a start of the job with --apply.
-- Source: batch/outputs.py; added to, after the other tables of the run.
CREATE TABLE IF NOT EXISTS varde.runs (
  run_id STRING OPTIONS (description = 'The run; one start of the job.'),
  started TIMESTAMP OPTIONS (description = 'When the run began.'),
  version STRING OPTIONS (description = 'Version of Varde.'),
  as_of TIMESTAMP OPTIONS (description = 'The last event time that was counted.'),
  window_start TIMESTAMP OPTIONS (description = 'The first event time that was counted.'),
  seconds FLOAT64 OPTIONS (description = 'How long the run took.'),
  customers INT64 OPTIONS (description = 'Customers with a history.'),
  items INT64 OPTIONS (description = 'Items in any history.'),
  pairs INT64 OPTIONS (description = 'Pairs of items with a customer, in the direction of their rows.'),
  pairs_compared INT64 OPTIONS (description = 'Pairs that the live counts or the night have.'),
  pairs_different INT64 OPTIONS (description = 'Pairs whose counts differ.'),
  supports_different INT64 OPTIONS (description = 'Supports and totals that differ.'),
  refusals STRING OPTIONS (description = 'Why the night was not to be written, one reason a line; NULL for none.'),
  applied BOOL OPTIONS (description = 'Whether the night was written.')
)
PARTITION BY DATE(started)
OPTIONS (partition_expiration_days = 400, description = 'One row a run of the nightly job. For reports.')
