-- Grain: one row in all: when the first list was served that may count; NULL without any.
-- Parameters: none.
-- Source: varde.experiment_exposures.
-- From it Segment's tables are read, not from the beginning.
SELECT MIN(time) AS first_exposure
FROM varde.experiment_exposures
WHERE fault IS NULL
