-- Grain: one row an experiment, variation and day.
-- Source: sql/experiment_days.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_days (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  variation STRING OPTIONS (description = 'Key of the variation; `team_draft` for all units of a team draft.'),
  variation_index INT64 OPTIONS (description = 'Place of the variation in the configuration, from 0; -1 in a team draft.'),
  day INT64 OPTIONS (description = 'UTC day, in days since the epoch.'),
  date STRING OPTIONS (description = 'The day as a date, YYYY-MM-DD.'),
  units INT64 OPTIONS (description = 'Units that count.'),
  units_several INT64 OPTIONS (description = 'Units seen in several variations, which count in nothing else; by the first variation.'),
  impressions INT64 OPTIONS (description = 'Items shown.'),
  lists INT64 OPTIONS (description = 'Lists shown.'),
  fallback_lists INT64 OPTIONS (description = 'Lists of another rung than `pairs`.'),
  clicks INT64 OPTIONS (description = 'Items clicked, each once a list.'),
  adds INT64 OPTIONS (description = 'Additions to the cart.'),
  orders INT64 OPTIONS (description = 'Orders that were not taken back whole.'),
  revenue FLOAT64 OPTIONS (description = 'Revenue after refunds, nothing capped.'),
  items FLOAT64 OPTIONS (description = 'Pieces bought and not returned.'),
  clickers INT64 OPTIONS (description = 'Units with a click.'),
  adders INT64 OPTIONS (description = 'Units with an addition to the cart.'),
  buyers INT64 OPTIONS (description = 'Units with an order.'),
  ctr_per_impression FLOAT64 OPTIONS (description = 'clicks / impressions.'),
  ctr_per_unit FLOAT64 OPTIONS (description = 'clicks / units.'),
  add_rate FLOAT64 OPTIONS (description = 'adders / units.'),
  conversion FLOAT64 OPTIONS (description = 'buyers / units.'),
  orders_per_unit FLOAT64 OPTIONS (description = 'orders / units.'),
  revenue_per_unit FLOAT64 OPTIONS (description = 'Revenue / units, that of the largest units capped.'),
  items_per_order FLOAT64 OPTIONS (description = 'items / orders.'),
  fallback_share FLOAT64 OPTIONS (description = 'fallback_lists / lists.'),
  latency_p95_ms FLOAT64 OPTIONS (description = '95th percentile of the milliseconds that the server took for a list, to a tenth.'),
  items_shown INT64 OPTIONS (description = 'Distinct items shown.'),
  coverage FLOAT64 OPTIONS (description = 'items_shown as a part of the catalogue; NULL without a catalogue.')
)
CLUSTER BY experiment
OPTIONS (description = 'Figures of experiments by variation, each from the start up to and with the day. For reports.')
