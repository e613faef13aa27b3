-- Grain: one row an experiment and reason: how many rows of store.exposures do not count.
-- Parameters: none.
-- Source: varde.experiment_exposures, varde.experiment_lists, varde.identity, varde.forgotten.
-- Reasons: those of experiment_exposures, `erased` (shown to a customer up to when they are forgotten), and `repeated` (copies
--   of a list). The experiment is NULL where the row names none that is configured.
WITH
  known AS (
    SELECT
      e.experiment,
      e.time,
      CASE
        WHEN e.unit_kind = 'uid' THEN CONCAT('u:', e.unit)
        WHEN l.user_id IS NOT NULL THEN CONCAT('u:', l.user_id)
        ELSE CONCAT('a:', e.unit)
      END AS customer
    FROM varde.experiment_exposures AS e
    LEFT JOIN varde.identity AS l
      ON e.unit_kind = 'aid' AND e.unit = l.anonymous_id
    WHERE e.fault IS NULL
  ),
  judged AS (
    SELECT k.experiment, COALESCE(k.time <= f.time, FALSE) AS erased
    FROM known AS k
    LEFT JOIN varde.forgotten AS f
      ON k.customer = f.customer
  ),
  counted AS (
    SELECT experiment, COUNTIF(erased) AS erased, COUNTIF(NOT erased) AS kept
    FROM judged
    GROUP BY experiment
  ),
  lists AS (
    SELECT experiment, COUNT(*) AS lists
    FROM varde.experiment_lists
    GROUP BY experiment
  ),
  faults AS (
    SELECT
      IF(fault IN ('no_list_id', 'bad_time', 'no_experiment', 'unknown_experiment'), NULL, experiment) AS experiment,
      fault AS reason,
      1 AS exposures
    FROM varde.experiment_exposures
    WHERE fault IS NOT NULL
    UNION ALL
    SELECT experiment, 'erased' AS reason, erased AS exposures
    FROM counted
    UNION ALL
    SELECT c.experiment, 'repeated' AS reason, c.kept - COALESCE(l.lists, 0) AS exposures
    FROM counted AS c
    LEFT JOIN lists AS l
      ON c.experiment = l.experiment
  )
SELECT experiment, reason, CAST(FLOOR(SUM(exposures)) AS INT64) AS exposures
FROM faults
WHERE exposures > 0
GROUP BY experiment, reason
