-- Grain: one row an experiment and reason.
-- Source: sql/experiment_faults.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_faults (
  experiment STRING OPTIONS (description = 'Key of the experiment; NULL where the exposure names none that is configured.'),
  reason STRING OPTIONS (description = 'The first reason.'),
  exposures INT64 OPTIONS (description = 'How many rows of the table of exposures.')
)
OPTIONS (description = 'Exposures that do not count, by reason. For reports.')
