-- Grain: one row an experiment and currency of orders.
-- Source: sql/experiment_rates.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_rates (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  currency STRING OPTIONS (description = 'Currency of orders, a code of ISO 4217.'),
  own BOOL OPTIONS (description = 'Whether the revenue of the experiment is in it.'),
  rate FLOAT64 OPTIONS (description = 'What one of it is worth in the currency of the experiment; NULL: left out of its revenue.')
)
OPTIONS (description = 'How the money of orders becomes revenue of experiments.')
