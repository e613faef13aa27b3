-- Grain: one row an experiment and unit.
-- Source: sql/experiment_units.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_units (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  unit_kind STRING OPTIONS (description = 'Which id was dealt a variation: `uid` or `aid`.'),
  unit STRING OPTIONS (description = 'That id.'),
  number INT64 OPTIONS (description = 'Place of the unit in its experiment, by kind and id, from 0.'),
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  variation_index INT64 OPTIONS (description = 'The variation of the first list; -1 in a team draft.'),
  several BOOL OPTIONS (description = 'Whether it was seen in several variations, and so counts in no metric.'),
  first_exposure INT64 OPTIONS (description = 'When its first list was served, ms since the epoch.'),
  first_day INT64 OPTIONS (description = 'UTC day of the first list, in days since the epoch.'),
  counts_until INT64 OPTIONS (description = 'The last moment at which what it does counts, ms since the epoch.'),
  pre_views INT64 OPTIONS (description = 'Product views of the customer in the 28 days before the first list.'),
  pre_clicks INT64 OPTIONS (description = 'Product clicks, likewise.'),
  pre_adds INT64 OPTIONS (description = 'Additions to the cart, likewise.'),
  pre_orders INT64 OPTIONS (description = 'Orders that were not taken back whole, likewise.'),
  pre_revenue FLOAT64 OPTIONS (description = 'Revenue after refunds, likewise.')
)
CLUSTER BY experiment
OPTIONS (description = 'Who was in an experiment, since when, and what they had done before.')
