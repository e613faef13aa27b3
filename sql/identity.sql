-- Grain: one row an anonymousId that belongs to a user.
-- Parameters: @as_of (INT64, ms: last event time that counts), @links_since (INT64, ms: bound on received_at; 0 reads
--   everything, because a link from before the window still names the customer of events inside it).
-- Source: segment.tracks, identifies, pages, screens, groups, aliases.
-- Any call with both ids is a link; an alias links its previous id instead, unless the two are the same. Of several
-- links of one anonymousId the earliest by event time wins, of equal times the smaller user id. Duplicates change nothing.
WITH
  said AS (
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.tracks AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.identifies AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.pages AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.screens AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.groups AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT
      SAFE_CAST(t.previous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time
    FROM segment.aliases AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND SAFE_CAST(t.previous_id AS STRING) != SAFE_CAST(t.user_id AS STRING)
  )
SELECT anonymous_id, user_id, time
FROM said
WHERE BYTE_LENGTH(anonymous_id) BETWEEN 1 AND 256
  AND BYTE_LENGTH(user_id) BETWEEN 1 AND 256
  AND time BETWEEN 946684800000 AND @as_of  -- from varde.timestamps.EARLIEST
QUALIFY ROW_NUMBER() OVER (PARTITION BY anonymous_id ORDER BY time, user_id) = 1
