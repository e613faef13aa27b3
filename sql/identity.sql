-- Grain: one row an anonymousId that belongs to a user.
-- Parameters: @as_of (INT64, ms: last event time that counts), @links_since (INT64, ms: bound on received_at; 0 reads
--   everything, because a link from before the window still names the customer of events inside it).
-- Source: segment.tracks, identifies, pages, screens, groups, aliases; varde.robots, varde.withdrawals.
-- Any call with both ids is a link; an alias links its previous id instead, unless the two are the same. Of several
-- links of one anonymousId the earliest by event time wins, of equal times the smaller user id. Duplicates change nothing.
-- No link is what a robot said (an alias is not asked), what was said without a required consent, and what was said of an
-- anonymousId up to the moment that a consent was withdrawn under it.
WITH
  said AS (
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.tracks AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.identifies AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.pages AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.screens AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
    UNION ALL
    SELECT
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.groups AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
    UNION ALL
    SELECT
      SAFE_CAST(t.previous_id AS STRING) AS anonymous_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      CAST(NULL AS STRING) AS user_agent
    FROM segment.aliases AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.consent_given
      AND SAFE_CAST(t.previous_id AS STRING) != SAFE_CAST(t.user_id AS STRING)
  ),
  withdrawn AS (
    SELECT anonymous_id, MAX(time) AS time
    FROM varde.withdrawals
    WHERE anonymous_id IS NOT NULL
    GROUP BY anonymous_id
  )
SELECT s.anonymous_id, s.user_id, s.time
FROM said AS s
LEFT JOIN varde.robots AS r
  ON s.user_agent = r.user_agent
LEFT JOIN withdrawn AS w
  ON s.anonymous_id = w.anonymous_id
WHERE BYTE_LENGTH(s.anonymous_id) BETWEEN 1 AND 256
  AND BYTE_LENGTH(s.user_id) BETWEEN 1 AND 256
  AND s.time BETWEEN 946684800000 AND @as_of  -- from varde.timestamps.EARLIEST
  AND r.user_agent IS NULL
  AND (w.time IS NULL OR s.time > w.time)
QUALIFY ROW_NUMBER() OVER (PARTITION BY s.anonymous_id ORDER BY s.time, s.user_id) = 1
