-- Grain: one row a pair of ids under which a required consent was withdrawn: the latest time. One of the ids may be NULL.
-- Parameters: @as_of (INT64, ms: last event time that counts), @links_since (INT64, ms: bound on received_at; 0 reads
--   everything, because a link from before the window may have been withdrawn before it, too).
-- Source: segment.segment_consent_preference_updated, varde.robots.
-- An absurd date does not take a person's wish away: the time of receipt stands for it.
WITH
  said AS (
    SELECT
      NULLIF(SAFE_CAST(t.user_id AS STRING), '') AS user_id,
      NULLIF(SAFE_CAST(t.anonymous_id AS STRING), '') AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.segment_consent_preference_updated AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND NOT t.consent_given
  ),
  dated AS (
    SELECT
      s.user_id,
      s.anonymous_id,
      IF(s.time < 946684800000, s.received, s.time) AS time  -- varde.timestamps.EARLIEST
    FROM said AS s
    LEFT JOIN varde.robots AS r
      ON s.user_agent = r.user_agent
    WHERE r.user_agent IS NULL
      AND COALESCE(BYTE_LENGTH(s.user_id), 0) <= 256
      AND COALESCE(BYTE_LENGTH(s.anonymous_id), 0) <= 256
      AND (s.user_id IS NOT NULL OR s.anonymous_id IS NOT NULL)
  )
SELECT user_id, anonymous_id, MAX(time) AS time
FROM dated
WHERE time <= @as_of
GROUP BY user_id, anonymous_id
