-- Grain: one row a list and item that was clicked in it.
-- Source: sql/experiment_clicks.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_clicks (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  unit_kind STRING OPTIONS (description = 'Which id was dealt a variation: `uid` or `aid`.'),
  unit STRING OPTIONS (description = 'That id.'),
  number INT64 OPTIONS (description = 'Place of the unit in its experiment, by kind and id, from 0.'),
  list_id STRING OPTIONS (description = 'The list.'),
  item STRING OPTIONS (description = 'The item; empty when the click names none.'),
  team STRING OPTIONS (description = 'In a team draft: the variation that put the item into the list.'),
  time INT64 OPTIONS (description = 'The earliest click, ms since the epoch.'),
  day INT64 OPTIONS (description = 'UTC day, in days since the epoch.'),
  found_by STRING OPTIONS (description = '`request`: by the request id of the click; `item`: by customer and item.')
)
CLUSTER BY experiment
OPTIONS (description = 'Items that were clicked in lists of experiments.')
