-- Grain: one row a list that was shown to a unit of an experiment.
-- Parameters: none.
-- Source: varde.experiment_exposures, varde.identity, varde.forgotten.
-- Of copies of a list the earliest counts. The customer is the user that the anonymousId is linked to, else the id itself,
-- as in deeds.sql. What a customer was shown up to when they are forgotten does not count.
WITH
  resolved AS (
    SELECT
      e.experiment,
      e.list_id,
      e.exposure_id,
      e.unit_kind,
      e.unit,
      CASE
        WHEN e.unit_kind = 'uid' THEN CONCAT('u:', e.unit)
        WHEN l.user_id IS NOT NULL THEN CONCAT('u:', l.user_id)
        ELSE CONCAT('a:', e.unit)
      END AS customer,
      e.variation_index,
      e.placement,
      e.request_id,
      e.rung,
      e.latency_ms,
      e.items,
      e.time
    FROM varde.experiment_exposures AS e
    LEFT JOIN varde.identity AS l
      ON e.unit_kind = 'aid' AND e.unit = l.anonymous_id
    WHERE e.fault IS NULL
  )
SELECT
  r.experiment,
  r.list_id,
  r.exposure_id,
  r.unit_kind,
  r.unit,
  r.customer,
  r.variation_index,
  r.placement,
  r.request_id,
  r.rung,
  r.latency_ms,
  r.items,
  ARRAY_LENGTH(JSON_QUERY_ARRAY(r.items)) AS impressions,
  r.time,
  DIV(r.time, 86400000) AS day
FROM resolved AS r
LEFT JOIN varde.forgotten AS f
  ON r.customer = f.customer
WHERE f.time IS NULL OR r.time > f.time
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY r.experiment, r.unit_kind, r.unit, r.list_id
  ORDER BY r.time, r.request_id, r.variation_index, r.items, r.rung, r.latency_ms, r.placement, r.exposure_id
) = 1
