-- Grain: one row an experiment and configured rate.
-- Source: batch/experiments.py; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_currencies (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  currency STRING OPTIONS (description = 'A currency other than that of the experiment.'),
  rate FLOAT64 OPTIONS (description = 'What one of it is worth in the currency of the experiment.')
)
OPTIONS (description = 'Rates as they were configured.')
