-- Grain: one row a message and reason: messages of the window with a time that is missing or cannot be true.
-- Parameters: @window_start, @as_of (INT64, ms: first and last event time that counts).
-- Source: segment.product_viewed, product_added, order_completed, order_refunded (signals 0 to 3, as in messages); tracks,
--   identifies, pages, screens, groups, aliases (7: what links ids; tracks has every event once more).
-- Reasons: `no_received_at` (no query reads such a row, so nothing of it counts), `future_time` (a time after the
--   receipt: counts as the receipt), `no_loaded_at` (of copies it is the last choice, and counts else).
-- Of a row without a time of receipt nobody knows whether it lies in the window: the day of loading has to do.
WITH
  said AS (
    SELECT
      0 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.product_viewed AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      1 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.product_added AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      2 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.order_completed AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      3 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.order_refunded AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.tracks AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.identifies AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.pages AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.screens AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.groups AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
    UNION ALL
    SELECT
      7 AS signal,
      SAFE_CAST(t.id AS STRING) AS message_id,
      UNIX_MILLIS(t.timestamp) AS time,
      UNIX_MILLIS(t.received_at) AS received,
      t.loaded_at IS NULL AS unloaded
    FROM segment.aliases AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY))
      AND (t.received_at IS NULL OR t.loaded_at IS NULL OR t.timestamp > t.received_at)
  ),
  judged AS (
    SELECT
      signal,
      message_id,
      CASE
        WHEN received IS NULL THEN 'no_received_at'
        WHEN received NOT BETWEEN @window_start AND @as_of THEN NULL
        WHEN time > received THEN 'future_time'
        WHEN unloaded THEN 'no_loaded_at'
      END AS reason
    FROM said
  )
SELECT signal, message_id, reason
FROM judged
WHERE reason IS NOT NULL
QUALIFY message_id IS NULL OR ROW_NUMBER() OVER (PARTITION BY signal, message_id, reason ORDER BY message_id) = 1
