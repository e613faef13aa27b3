-- Grain: one row an experiment and variation.
-- Source: batch/experiments.py; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_settings (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  variation STRING OPTIONS (description = 'Key of the variation.'),
  variation_index INT64 OPTIONS (description = 'Place of the variation in the configuration, from 0; 0 is the baseline.'),
  weight FLOAT64 OPTIONS (description = 'Its share of the units.'),
  mode STRING OPTIONS (description = '`ab` or `team_draft`.'),
  bucket_version INT64 OPTIONS (description = 'Version of the dealing.'),
  start_time INT64 OPTIONS (description = 'First moment, ms since the epoch; NULL for none.'),
  end_time INT64 OPTIONS (description = 'The moment from which on nobody is in it, ms since the epoch; NULL for none.'),
  attribution_ms INT64 OPTIONS (description = 'How long after its first list the deeds of a unit count, ms.'),
  winsorize FLOAT64 OPTIONS (description = 'Quantile at which the revenue of a unit is capped.'),
  currency STRING OPTIONS (description = 'Currency of its revenue; NULL: that of most orders.'),
  metric STRING OPTIONS (description = 'What decides.'),
  stopped STRING OPTIONS (description = 'The variation that everybody gets, once decided; NULL while it runs.')
)
CLUSTER BY experiment
OPTIONS (description = 'Experiments as they were configured, by variation.')
