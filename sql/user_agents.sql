-- Grain: one row a user agent that a message came with.
-- Parameters: @links_since (INT64, ms: bound on received_at; 0 reads everything, because identity does).
-- Source: segment.tracks (which has the rows of every event's table), identifies, pages, screens, groups.
-- Which of them are robots is decided outside (varde.robots) and comes back as the table varde.robots.
WITH
  sent AS (
    SELECT SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.tracks AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.identifies AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.pages AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.screens AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT SAFE_CAST(t.context_user_agent AS STRING) AS user_agent
    FROM segment.groups AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
  )
SELECT DISTINCT user_agent
FROM sent
WHERE user_agent != ''
