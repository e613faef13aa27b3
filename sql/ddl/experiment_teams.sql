-- Grain: one row a unit of a team draft.
-- Source: sql/experiment_teams.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_teams (
  experiment STRING OPTIONS (description = 'Key of the experiment.'),
  unit_kind STRING OPTIONS (description = 'Which id was dealt a variation: `uid` or `aid`.'),
  unit STRING OPTIONS (description = 'That id.'),
  number INT64 OPTIONS (description = 'Place of the unit in its experiment, by kind and id, from 0.'),
  first_clicks INT64 OPTIONS (description = 'Clicks on items that the first variation put into the list.'),
  second_clicks INT64 OPTIONS (description = 'Clicks on items that the second variation put into the list.')
)
CLUSTER BY experiment
OPTIONS (description = 'Clicks of units on the items of either variation of a team draft. For reports.')
