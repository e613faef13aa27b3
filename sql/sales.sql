-- Grain: one row a row of store.sales inside the window, and one a row that cannot be counted, with the reason (`fault`).
-- Parameters: @window_start, @as_of (INT64, ms: first and last time that counts).
-- Source: store.sales, which a shop fills from its tills; optional.
-- A sale is a purchase of the user `customer_id`. Every value may have any type: it is read by its text. Reasons:
--   `no_customer`, `id_too_long` (over 256 bytes), `no_item`, `bad_time` (no date, or before 2000), `after_as_of`.
WITH
  texts AS (
    SELECT
      NULLIF(SAFE_CAST(t.customer_id AS STRING), '') AS user_id,
      NULLIF(SAFE_CAST(t.item AS STRING), '') AS item,
      SAFE_CAST(t.time AS STRING) AS time_text,
      SAFE_CAST(t.order_id AS STRING) AS order_id
    FROM store.sales AS t
    WHERE TRUE
  ),
  read AS (
    SELECT
      user_id,
      item,
      IF(
        REGEXP_CONTAINS(time_text, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9]{1,2}:.*)?$'),
        UNIX_MILLIS(SAFE_CAST(time_text AS TIMESTAMP)),
        NULL
      ) AS time,
      IF(BYTE_LENGTH(order_id) BETWEEN 1 AND 256, order_id, '') AS order_id
    FROM texts
  ),
  judged AS (
    SELECT
      user_id,
      item,
      time,
      order_id,
      CASE
        WHEN user_id IS NULL THEN 'no_customer'
        WHEN BYTE_LENGTH(user_id) > 256 OR COALESCE(BYTE_LENGTH(item), 0) > 256 THEN 'id_too_long'
        WHEN item IS NULL THEN 'no_item'
        WHEN time IS NULL OR time < 946684800000 THEN 'bad_time'  -- varde.timestamps.EARLIEST
        WHEN time > @as_of THEN 'after_as_of'
      END AS fault
    FROM read
  )
SELECT user_id, item, time, order_id, fault
FROM judged
WHERE fault IS NOT NULL OR time >= @window_start
