-- Grain: one row a row of store.exposures up to @as_of, with what it lacks to count (`fault`).
-- Parameters: @exposed_since, @as_of (INT64, ms: first and last time of serving that counts), @count_robots (INT64: 1 where
--   robots count).
-- Source: store.exposures, which a subscription of Pub/Sub's writes (varde.exposure); varde.experiment_settings.
-- Reasons: `no_list_id`, `bad_time`, `no_experiment`, `unknown_experiment` (not configured), `no_unit`, `other_version`
--   (bucketed by another version), `other_mode`, `unknown_variation`, `items_malformed` (an item without an id or a
--   position), `outside_dates` (before the start of the experiment or after its end), `robot`, `forced`.
-- The variation_index is -1 in a team draft, where every list has items of both variations. Items become JSON text.
WITH
  read AS (
    SELECT
      NULLIF(SAFE_CAST(t.list_id AS STRING), '') AS list_id,
      SAFE_CAST(t.exposure_id AS STRING) AS exposure_id,
      NULLIF(SAFE_CAST(t.experiment AS STRING), '') AS experiment,
      SAFE_CAST(t.variation AS STRING) AS variation,
      t.bucket_version,
      SAFE_CAST(t.mode AS STRING) AS mode,
      SAFE_CAST(t.unit_kind AS STRING) AS unit_kind,
      NULLIF(SAFE_CAST(t.unit AS STRING), '') AS unit,
      COALESCE(t.forced, FALSE) AS forced,
      COALESCE(t.robot, FALSE) AS robot,
      SAFE_CAST(t.placement AS STRING) AS placement,
      NULLIF(SAFE_CAST(t.request_id AS STRING), '') AS request_id,
      SAFE_CAST(t.rung AS STRING) AS rung,
      t.latency_ms,
      COALESCE(NULLIF(TO_JSON_STRING(t.items), 'null'), '[]') AS items,
      UNIX_MILLIS(t.served_at) AS time
    FROM store.exposures AS t
    WHERE t.served_at IS NULL
      OR t.served_at BETWEEN TIMESTAMP_MILLIS(@exposed_since) AND TIMESTAMP_MILLIS(@as_of)
  ),
  -- By the text, so that copies are judged alike.
  malformed AS (
    SELECT DISTINCT r.list_id, r.items
    FROM read AS r
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(r.items)) AS shown
    WHERE NOT COALESCE(BYTE_LENGTH(JSON_VALUE(shown, '$.item')) BETWEEN 1 AND 256, FALSE)
      OR NOT COALESCE(REGEXP_CONTAINS(JSON_VALUE(shown, '$.position'), r'^[1-9][0-9]*$'), FALSE)
  ),
  configured AS (
    SELECT DISTINCT experiment, mode, bucket_version, start_time, end_time
    FROM varde.experiment_settings
  )
SELECT
  r.list_id,
  r.exposure_id,
  r.experiment,
  IF(c.mode = 'team_draft', -1, s.variation_index) AS variation_index,
  r.unit_kind,
  r.unit,
  r.placement,
  r.request_id,
  r.rung,
  r.latency_ms,
  r.items,
  r.time,
  CASE
    WHEN r.list_id IS NULL THEN 'no_list_id'
    WHEN r.time IS NULL OR r.time < 946684800000 THEN 'bad_time'  -- varde.timestamps.EARLIEST
    WHEN r.experiment IS NULL THEN 'no_experiment'
    WHEN c.experiment IS NULL THEN 'unknown_experiment'
    WHEN COALESCE(r.unit_kind, '') NOT IN ('uid', 'aid') THEN 'no_unit'
    WHEN r.unit IS NULL OR BYTE_LENGTH(r.unit) > 256 THEN 'no_unit'
    WHEN COALESCE(r.bucket_version, -1) != c.bucket_version THEN 'other_version'
    WHEN COALESCE(r.mode, '') != c.mode THEN 'other_mode'
    WHEN c.mode != 'team_draft' AND s.variation_index IS NULL THEN 'unknown_variation'
    WHEN m.items IS NOT NULL THEN 'items_malformed'
    WHEN r.time < COALESCE(c.start_time, r.time) OR r.time >= COALESCE(c.end_time, r.time + 1) THEN 'outside_dates'
    WHEN r.robot AND @count_robots = 0 THEN 'robot'
    WHEN r.forced THEN 'forced'
  END AS fault
FROM read AS r
LEFT JOIN configured AS c
  ON r.experiment = c.experiment
LEFT JOIN varde.experiment_settings AS s
  ON r.experiment = s.experiment AND r.variation = s.variation
LEFT JOIN malformed AS m
  ON r.list_id = m.list_id AND r.items = m.items
