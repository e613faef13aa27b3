-- Grain: one row an experiment, unit and day.
-- Source: sql/experiment_unit_days.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_unit_days (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  unit_kind STRING OPTIONS (description = 'Which id was dealt a variation: `uid` or `aid`.'),
  unit STRING OPTIONS (description = 'That id.'),
  number INT64 OPTIONS (description = 'Place of the unit in its experiment, by kind and id, from 0.'),
  variation_index INT64 OPTIONS (description = 'Place of the variation in the configuration, from 0; -1 in a team draft.'),
  day INT64 OPTIONS (description = 'UTC day, in days since the epoch.'),
  impressions INT64 OPTIONS (description = 'Items shown.'),
  lists INT64 OPTIONS (description = 'Lists shown.'),
  fallback_lists INT64 OPTIONS (description = 'Of them, those of another rung than `pairs`.'),
  clicks INT64 OPTIONS (description = 'Items clicked, each once a list.'),
  adds INT64 OPTIONS (description = 'Additions to the cart.'),
  orders INT64 OPTIONS (description = 'Orders that were not taken back whole.'),
  orders_left_out INT64 OPTIONS (description = 'Orders among them whose money is in no revenue, for want of a rate for its currency.'),
  revenue FLOAT64 OPTIONS (description = 'Revenue after refunds.'),
  items FLOAT64 OPTIONS (description = 'Pieces bought and not returned.')
)
CLUSTER BY experiment
OPTIONS (description = 'What units of experiments saw and did, by day. For reports.')
