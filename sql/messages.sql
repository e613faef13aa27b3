-- Grain: one row a message that may carry items: product views, additions to a cart, completed orders, and orders that
--   were refunded or cancelled.
-- Parameters: @window_start, @as_of (INT64, ms since the epoch: first and last event time that count).
-- Source: segment.product_viewed, segment.product_added, segment.order_completed, segment.order_refunded. The warehouse
--   reads each together with the tables of the event's older names, of the shop's own events and, for the last, of
--   cancellations, and puts what the shop's consent categories come to in the place of `consent_given`
--   (varde.batch.warehouse.segment and source).
-- Segment's tables hold duplicates and are partitioned by ingestion time: both are dealt with in each source step.
-- An event is never received before it happens, so a bound on received_at loses nothing; a day of slack for clocks.
WITH
  viewed AS (
    SELECT
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      CAST(NULL AS STRING) AS order_id,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      SAFE_CAST(t.product_id AS STRING) AS product_id,
      SAFE_CAST(t.sku AS STRING) AS sku,
      SAFE_CAST(t.variant AS STRING) AS variant,
      CAST(NULL AS STRING) AS products
    FROM segment.product_viewed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  added AS (
    SELECT
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      CAST(NULL AS STRING) AS order_id,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      SAFE_CAST(t.product_id AS STRING) AS product_id,
      SAFE_CAST(t.sku AS STRING) AS sku,
      SAFE_CAST(t.variant AS STRING) AS variant,
      CAST(NULL AS STRING) AS products
    FROM segment.product_added AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  ordered AS (
    SELECT
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.order_id AS STRING) AS order_id,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      CAST(NULL AS STRING) AS product_id,
      CAST(NULL AS STRING) AS sku,
      CAST(NULL AS STRING) AS variant,
      SAFE_CAST(t.products AS STRING) AS products
    FROM segment.order_completed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  returned AS (
    SELECT
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.order_id AS STRING) AS order_id,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      CAST(NULL AS STRING) AS product_id,
      CAST(NULL AS STRING) AS sku,
      CAST(NULL AS STRING) AS variant,
      SAFE_CAST(t.products AS STRING) AS products
    FROM segment.order_refunded AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@window_start), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  -- The numbers are varde.history.Signal; 3 is a return.
  together AS (
    SELECT 0 AS signal, message_id, user_id, anonymous_id, time, order_id, user_agent, consent_given, product_id, sku, variant, products
    FROM viewed
    UNION ALL
    SELECT 1 AS signal, message_id, user_id, anonymous_id, time, order_id, user_agent, consent_given, product_id, sku, variant, products
    FROM added
    UNION ALL
    SELECT 2 AS signal, message_id, user_id, anonymous_id, time, order_id, user_agent, consent_given, product_id, sku, variant, products
    FROM ordered
    UNION ALL
    SELECT 3 AS signal, message_id, user_id, anonymous_id, time, order_id, user_agent, consent_given, product_id, sku, variant, products
    FROM returned
  )
SELECT
  signal,
  message_id,
  NULLIF(user_id, '') AS user_id,
  NULLIF(anonymous_id, '') AS anonymous_id,
  time,
  -- Longer ones are no order ids (varde.ecommerce.MAX_ID_BYTES).
  IF(BYTE_LENGTH(order_id) BETWEEN 1 AND 256, order_id, NULL) AS order_id,
  user_agent,
  consent_given,
  product_id,
  sku,
  variant,
  -- One product may stand without its array.
  NULLIF(IF(STARTS_WITH(LTRIM(products), '{'), CONCAT('[', products, ']'), products), '') AS products
FROM together
WHERE time BETWEEN @window_start AND @as_of
  AND time >= 946684800000  -- varde.timestamps.EARLIEST
