-- Grain: one row a message that says what a customer did: views, clicks, additions to the cart, orders, returns.
-- Parameters: @events_since, @as_of (INT64, ms since the epoch: first and last event time that count).
-- Source: segment.product_viewed, segment.product_clicked, segment.product_added, segment.order_completed,
--   segment.order_refunded. The warehouse reads each together with the tables of its other names, as for messages.sql,
--   which has the same rules for time, copies and consent; this one has its own span of time, and the money.
-- A message without an id is known by what it says.
WITH
  viewed AS (
    SELECT
      'view' AS kind,
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      CAST(NULL AS STRING) AS order_id,
      CAST(NULL AS STRING) AS request_id,
      CAST(NULL AS STRING) AS varde_request_id,
      SAFE_CAST(t.product_id AS STRING) AS product_id,
      SAFE_CAST(t.sku AS STRING) AS sku,
      SAFE_CAST(t.variant AS STRING) AS variant,
      CAST(NULL AS STRING) AS revenue,
      CAST(NULL AS STRING) AS total,
      CAST(NULL AS STRING) AS currency,
      CAST(NULL AS STRING) AS products,
      FALSE AS cancelled
    FROM segment.product_viewed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  clicked AS (
    SELECT
      'click' AS kind,
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      CAST(NULL AS STRING) AS order_id,
      SAFE_CAST(t.request_id AS STRING) AS request_id,
      SAFE_CAST(t.varde_request_id AS STRING) AS varde_request_id,
      SAFE_CAST(t.product_id AS STRING) AS product_id,
      SAFE_CAST(t.sku AS STRING) AS sku,
      SAFE_CAST(t.variant AS STRING) AS variant,
      CAST(NULL AS STRING) AS revenue,
      CAST(NULL AS STRING) AS total,
      CAST(NULL AS STRING) AS currency,
      CAST(NULL AS STRING) AS products,
      FALSE AS cancelled
    FROM segment.product_clicked AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  added AS (
    SELECT
      'cart' AS kind,
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      CAST(NULL AS STRING) AS order_id,
      CAST(NULL AS STRING) AS request_id,
      CAST(NULL AS STRING) AS varde_request_id,
      SAFE_CAST(t.product_id AS STRING) AS product_id,
      SAFE_CAST(t.sku AS STRING) AS sku,
      SAFE_CAST(t.variant AS STRING) AS variant,
      CAST(NULL AS STRING) AS revenue,
      CAST(NULL AS STRING) AS total,
      CAST(NULL AS STRING) AS currency,
      CAST(NULL AS STRING) AS products,
      FALSE AS cancelled
    FROM segment.product_added AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  ordered AS (
    SELECT
      'order' AS kind,
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      SAFE_CAST(t.order_id AS STRING) AS order_id,
      CAST(NULL AS STRING) AS request_id,
      CAST(NULL AS STRING) AS varde_request_id,
      CAST(NULL AS STRING) AS product_id,
      CAST(NULL AS STRING) AS sku,
      CAST(NULL AS STRING) AS variant,
      SAFE_CAST(t.revenue AS STRING) AS revenue,
      SAFE_CAST(t.total AS STRING) AS total,
      SAFE_CAST(t.currency AS STRING) AS currency,
      SAFE_CAST(t.products AS STRING) AS products,
      FALSE AS cancelled
    FROM segment.order_completed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  returned AS (
    SELECT
      'return' AS kind,
      SAFE_CAST(t.id AS STRING) AS message_id,
      SAFE_CAST(t.user_id AS STRING) AS user_id,
      SAFE_CAST(t.anonymous_id AS STRING) AS anonymous_id,
      UNIX_MILLIS(LEAST(COALESCE(t.timestamp, t.received_at), t.received_at)) AS time,
      SAFE_CAST(t.context_user_agent AS STRING) AS user_agent,
      t.consent_given,
      SAFE_CAST(t.order_id AS STRING) AS order_id,
      CAST(NULL AS STRING) AS request_id,
      CAST(NULL AS STRING) AS varde_request_id,
      CAST(NULL AS STRING) AS product_id,
      CAST(NULL AS STRING) AS sku,
      CAST(NULL AS STRING) AS variant,
      SAFE_CAST(t.revenue AS STRING) AS revenue,
      SAFE_CAST(t.total AS STRING) AS total,
      CAST(NULL AS STRING) AS currency,
      SAFE_CAST(t.products AS STRING) AS products,
      COALESCE(SAFE_CAST(t.event AS STRING), '') = 'order_cancelled' AS cancelled
    FROM segment.order_refunded AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@events_since), INTERVAL 1 DAY)
    QUALIFY t.id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.id ORDER BY t.loaded_at DESC, t.received_at DESC) = 1
  ),
  together AS (
    SELECT kind, message_id, user_id, anonymous_id, time, user_agent, consent_given, order_id, request_id, varde_request_id, product_id, sku, variant, revenue, total, currency, products, cancelled
    FROM viewed
    UNION ALL
    SELECT kind, message_id, user_id, anonymous_id, time, user_agent, consent_given, order_id, request_id, varde_request_id, product_id, sku, variant, revenue, total, currency, products, cancelled
    FROM clicked
    UNION ALL
    SELECT kind, message_id, user_id, anonymous_id, time, user_agent, consent_given, order_id, request_id, varde_request_id, product_id, sku, variant, revenue, total, currency, products, cancelled
    FROM added
    UNION ALL
    SELECT kind, message_id, user_id, anonymous_id, time, user_agent, consent_given, order_id, request_id, varde_request_id, product_id, sku, variant, revenue, total, currency, products, cancelled
    FROM ordered
    UNION ALL
    SELECT kind, message_id, user_id, anonymous_id, time, user_agent, consent_given, order_id, request_id, varde_request_id, product_id, sku, variant, revenue, total, currency, products, cancelled
    FROM returned
  )
SELECT
  kind,
  COALESCE(
    message_id,
    CONCAT(
      'without id: ', COALESCE(user_id, ''), ' ', COALESCE(anonymous_id, ''), ' ', CAST(time AS STRING), ' ',
      COALESCE(order_id, ''), ' ', COALESCE(product_id, ''), ' ', COALESCE(sku, ''), ' ', COALESCE(variant, '')
    )
  ) AS message_id,
  NULLIF(user_id, '') AS user_id,
  NULLIF(anonymous_id, '') AS anonymous_id,
  time,
  user_agent,
  consent_given,
  -- Longer ones are no order ids (varde.ecommerce.MAX_ID_BYTES).
  IF(BYTE_LENGTH(order_id) BETWEEN 1 AND 256, order_id, NULL) AS order_id,
  COALESCE(NULLIF(varde_request_id, ''), NULLIF(request_id, '')) AS request_id,
  product_id,
  sku,
  variant,
  -- Numbers are read by their text, because a column has the type of its first value.
  IF(
    REGEXP_CONTAINS(revenue, r'^-?[0-9]{1,15}([.][0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$'), SAFE_CAST(revenue AS FLOAT64), NULL
  ) AS revenue,
  IF(
    REGEXP_CONTAINS(total, r'^-?[0-9]{1,15}([.][0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$'), SAFE_CAST(total AS FLOAT64), NULL
  ) AS total,
  -- Of an order; a refund is in the currency of its order.
  IF(REGEXP_CONTAINS(currency, r'^[A-Za-z]{3}$'), UPPER(currency), NULL) AS currency,
  -- One product may stand without its array.
  NULLIF(IF(STARTS_WITH(LTRIM(products), '{'), CONCAT('[', products, ']'), products), '') AS products,
  cancelled
FROM together AS m
WHERE m.time BETWEEN @events_since AND @as_of
  AND m.time >= 946684800000  -- varde.timestamps.EARLIEST
QUALIFY m.message_id IS NOT NULL
  OR ROW_NUMBER() OVER (
    PARTITION BY
      m.kind, m.user_id, m.anonymous_id, m.time, m.order_id, m.product_id, m.sku, m.variant
    ORDER BY m.products, m.revenue, m.total, m.currency
  ) = 1
