-- Grain: one row a message of a Pub/Sub subscription, in the shape of Segment's tables; what has no row there, and why
--   (`fault`), too. Empty where messages are read from Segment's tables.
-- Parameters: @links_since (INT64, ms: bound on the time of publishing; 0 reads everything, because identity does).
-- Source: segment.raw_messages, which a subscription of Pub/Sub's writes: `data` is Segment's message as JSON. The
--   warehouse puts what the shop's consent categories come to in the place of `message.consent_given`
--   (varde.batch.warehouse.source). The queries on Segment's tables read this one instead of them.
-- Reasons: `no_publish_time`, and those of varde.reasons: `too_large`, `not_json`, `not_an_object`, `unknown_type`,
--   `bad_id`, `no_id`.
-- Times are ms. A message is what stands between the brackets of an array of one: JSON functions take only an element,
-- because they stop at malformed text elsewhere. Rows just written have no partition yet.
WITH
  delivered AS (
    SELECT
      SAFE_CAST(t.message_id AS STRING) AS message_id,
      UNIX_MILLIS(t.publish_time) AS published,
      SAFE_CAST(t.data AS STRING) AS data
    FROM segment.raw_messages AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY))
      AND (t.publish_time IS NULL OR t.publish_time >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY))
    QUALIFY t.message_id IS NULL OR ROW_NUMBER() OVER (PARTITION BY t.message_id ORDER BY t.publish_time DESC) = 1
  ),
  counted AS (
    SELECT
      message_id,
      published,
      IF(BYTE_LENGTH(data) <= 32768, data, NULL) AS data,  -- varde.events.MAX_BYTES
      BYTE_LENGTH(data) > 32768 AS too_large,
      ARRAY_LENGTH(JSON_QUERY_ARRAY(CONCAT('[', data, ']'))) AS objects
    FROM delivered
  ),
  -- Nothing can be read of these.
  closed AS (
    SELECT
      message_id,
      published,
      CASE
        WHEN published IS NULL THEN 'no_publish_time'
        WHEN too_large THEN 'too_large'
        ELSE 'not_json'
      END AS fault
    FROM counted
    WHERE published IS NULL OR data IS NULL OR objects IS NULL OR objects != 1
  ),
  whole AS (
    SELECT message_id, published, data
    FROM counted
    WHERE published IS NOT NULL AND data IS NOT NULL AND objects = 1
  ),
  parts AS (
    SELECT
      w.message_id,
      w.published,
      JSON_QUERY(message, '$') AS object,
      JSON_VALUE(message, '$.type') AS type,
      message.consent_given,
      JSON_QUERY(message, '$.userId') AS user_id_json,
      JSON_VALUE(message, '$.userId') AS user_id_text,
      JSON_QUERY(message, '$.anonymousId') AS anonymous_id_json,
      JSON_VALUE(message, '$.anonymousId') AS anonymous_id_text,
      JSON_QUERY(message, '$.previousId') AS previous_id_json,
      JSON_VALUE(message, '$.previousId') AS previous_id_text,
      JSON_QUERY(message, '$.properties.product_id') AS product_id_json,
      JSON_VALUE(message, '$.properties.product_id') AS product_id_text,
      JSON_QUERY(message, '$.properties.sku') AS sku_json,
      JSON_VALUE(message, '$.properties.sku') AS sku_text,
      JSON_QUERY(message, '$.properties.variant') AS variant_json,
      JSON_VALUE(message, '$.properties.variant') AS variant_text,
      JSON_QUERY(message, '$.properties.order_id') AS order_id_json,
      JSON_VALUE(message, '$.properties.order_id') AS order_id_text,
      JSON_QUERY(message, '$.properties.orderId') AS older_order_id_json,
      JSON_VALUE(message, '$.properties.orderId') AS older_order_id_text,
      JSON_QUERY(message, '$.messageId') AS id_json,
      JSON_VALUE(message, '$.messageId') AS id_text,
      JSON_QUERY(message, '$.event') AS event_json,
      JSON_VALUE(message, '$.event') AS event_text,
      JSON_QUERY(message, '$.context.userAgent') AS user_agent_json,
      JSON_VALUE(message, '$.context.userAgent') AS user_agent_text,
      JSON_QUERY(message, '$.properties.products') AS products_json,
      JSON_VALUE(message, '$.properties.products') AS products_text,
      JSON_VALUE(message, '$.properties.revenue') AS revenue,
      JSON_VALUE(message, '$.properties.total') AS total,
      JSON_VALUE(message, '$.properties.currency') AS currency,
      JSON_VALUE(message, '$.properties.request_id') AS request_id,
      JSON_VALUE(message, '$.properties.varde_request_id') AS varde_request_id,
      JSON_VALUE(message, '$.timestamp') AS happened_text,
      JSON_VALUE(message, '$.originalTimestamp') AS original_text,
      JSON_VALUE(message, '$.sentAt') AS sent_text,
      JSON_VALUE(message, '$.receivedAt') AS received_text
    FROM whole AS w
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(CONCAT('[', w.data, ']'))) AS message
  ),
  -- An id is a string, or a whole number in JSON. A date is ISO 8601, or a number of seconds or milliseconds.
  fields AS (
    SELECT
      message_id,
      published,
      object,
      type,
      consent_given,
      CASE
        WHEN STARTS_WITH(user_id_json, '"') THEN user_id_text
        WHEN REGEXP_CONTAINS(user_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN user_id_json
      END AS user_id,
      CASE
        WHEN STARTS_WITH(anonymous_id_json, '"') THEN anonymous_id_text
        WHEN REGEXP_CONTAINS(anonymous_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN anonymous_id_json
      END AS anonymous_id,
      CASE
        WHEN STARTS_WITH(previous_id_json, '"') THEN previous_id_text
        WHEN REGEXP_CONTAINS(previous_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN previous_id_json
      END AS previous_id,
      CASE
        WHEN STARTS_WITH(product_id_json, '"') THEN product_id_text
        WHEN REGEXP_CONTAINS(product_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN product_id_json
      END AS product_id,
      CASE
        WHEN STARTS_WITH(sku_json, '"') THEN sku_text
        WHEN REGEXP_CONTAINS(sku_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN sku_json
      END AS sku,
      CASE
        WHEN STARTS_WITH(variant_json, '"') THEN variant_text
        WHEN REGEXP_CONTAINS(variant_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN variant_json
      END AS variant,
      CASE
        WHEN STARTS_WITH(order_id_json, '"') THEN order_id_text
        WHEN REGEXP_CONTAINS(order_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN order_id_json
      END AS order_id,
      CASE
        WHEN STARTS_WITH(older_order_id_json, '"') THEN older_order_id_text
        WHEN REGEXP_CONTAINS(older_order_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN older_order_id_json
      END AS older_order_id,
      IF(STARTS_WITH(id_json, '"'), id_text, NULL) AS id,
      IF(STARTS_WITH(event_json, '"'), event_text, NULL) AS event,
      IF(STARTS_WITH(user_agent_json, '"'), user_agent_text, NULL) AS user_agent,
      IF(STARTS_WITH(products_json, '"'), products_text, products_json) AS products,
      revenue,
      total,
      currency,
      request_id,
      varde_request_id,
      user_id_json IS NOT NULL AS has_user_id,
      anonymous_id_json IS NOT NULL AS has_anonymous_id,
      previous_id_json IS NOT NULL AS has_previous_id,
      CASE
        WHEN REGEXP_CONTAINS(happened_text, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$')
          THEN UNIX_MILLIS(SAFE_CAST(REGEXP_REPLACE(happened_text, r'[.,]([0-9]{1,3})[0-9]*', r'.\1') AS TIMESTAMP))
        WHEN REGEXP_CONTAINS(happened_text, r'^-?[0-9]{12,17}([.][0-9]+)?$')
          THEN CAST(FLOOR(SAFE_CAST(happened_text AS FLOAT64)) AS INT64)
        WHEN REGEXP_CONTAINS(happened_text, r'^-?[0-9]{1,11}([.][0-9]+)?$')
          THEN CAST(FLOOR(ROUND(SAFE_CAST(happened_text AS FLOAT64) * 1e6) * 1e-3 + 1e-4) AS INT64)
      END AS happened,
      CASE
        WHEN REGEXP_CONTAINS(original_text, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$')
          THEN UNIX_MILLIS(SAFE_CAST(REGEXP_REPLACE(original_text, r'[.,]([0-9]{1,3})[0-9]*', r'.\1') AS TIMESTAMP))
        WHEN REGEXP_CONTAINS(original_text, r'^-?[0-9]{12,17}([.][0-9]+)?$')
          THEN CAST(FLOOR(SAFE_CAST(original_text AS FLOAT64)) AS INT64)
        WHEN REGEXP_CONTAINS(original_text, r'^-?[0-9]{1,11}([.][0-9]+)?$')
          THEN CAST(FLOOR(ROUND(SAFE_CAST(original_text AS FLOAT64) * 1e6) * 1e-3 + 1e-4) AS INT64)
      END AS original,
      CASE
        WHEN REGEXP_CONTAINS(sent_text, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$')
          THEN UNIX_MILLIS(SAFE_CAST(REGEXP_REPLACE(sent_text, r'[.,]([0-9]{1,3})[0-9]*', r'.\1') AS TIMESTAMP))
        WHEN REGEXP_CONTAINS(sent_text, r'^-?[0-9]{12,17}([.][0-9]+)?$')
          THEN CAST(FLOOR(SAFE_CAST(sent_text AS FLOAT64)) AS INT64)
        WHEN REGEXP_CONTAINS(sent_text, r'^-?[0-9]{1,11}([.][0-9]+)?$')
          THEN CAST(FLOOR(ROUND(SAFE_CAST(sent_text AS FLOAT64) * 1e6) * 1e-3 + 1e-4) AS INT64)
      END AS sent,
      CASE
        WHEN REGEXP_CONTAINS(received_text, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$')
          THEN UNIX_MILLIS(SAFE_CAST(REGEXP_REPLACE(received_text, r'[.,]([0-9]{1,3})[0-9]*', r'.\1') AS TIMESTAMP))
        WHEN REGEXP_CONTAINS(received_text, r'^-?[0-9]{12,17}([.][0-9]+)?$')
          THEN CAST(FLOOR(SAFE_CAST(received_text AS FLOAT64)) AS INT64)
        WHEN REGEXP_CONTAINS(received_text, r'^-?[0-9]{1,11}([.][0-9]+)?$')
          THEN CAST(FLOOR(ROUND(SAFE_CAST(received_text AS FLOAT64) * 1e6) * 1e-3 + 1e-4) AS INT64)
      END AS received
    FROM parts
  ),
  -- Segment's own time of receipt, if it can be believed (varde.timestamps.received_time).
  believed AS (
    SELECT
      message_id,
      published,
      object,
      type,
      consent_given,
      user_id,
      has_user_id,
      anonymous_id,
      has_anonymous_id,
      previous_id,
      has_previous_id,
      product_id,
      sku,
      variant,
      order_id,
      older_order_id,
      id,
      event,
      user_agent,
      products,
      revenue,
      total,
      currency,
      request_id,
      varde_request_id,
      happened,
      original,
      sent,
      IF(
        received >= 946684800000 AND (received <= published + 86400000 OR published < 946684800000), received, NULL
      ) AS said
    FROM fields
  )
SELECT
  CAST(NULL AS STRING) AS call,
  fault,
  message_id AS id,
  CAST(NULL AS STRING) AS user_id,
  CAST(NULL AS STRING) AS anonymous_id,
  CAST(NULL AS STRING) AS previous_id,
  CAST(NULL AS STRING) AS event,
  published AS timestamp,
  published AS received_at,
  published AS loaded_at,
  CAST(NULL AS STRING) AS context_user_agent,
  FALSE AS consent_given,
  CAST(NULL AS STRING) AS product_id,
  CAST(NULL AS STRING) AS sku,
  CAST(NULL AS STRING) AS variant,
  CAST(NULL AS STRING) AS order_id,
  CAST(NULL AS STRING) AS revenue,
  CAST(NULL AS STRING) AS total,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS request_id,
  CAST(NULL AS STRING) AS varde_request_id,
  CAST(NULL AS STRING) AS products
FROM closed
UNION ALL
SELECT
  CASE type
    WHEN 'track' THEN 'tracks'
    WHEN 'identify' THEN 'identifies'
    WHEN 'page' THEN 'pages'
    WHEN 'screen' THEN 'screens'
    WHEN 'group' THEN 'groups'
    WHEN 'alias' THEN 'aliases'
    WHEN 'delete' THEN 'delete'
  END AS call,
  CASE
    WHEN NOT COALESCE(STARTS_WITH(object, '{'), FALSE) THEN 'not_an_object'
    WHEN COALESCE(type, '') NOT IN ('track', 'identify', 'page', 'screen', 'group', 'alias', 'delete') THEN 'unknown_type'
    WHEN has_user_id AND user_id IS NULL THEN 'bad_id'
    WHEN type != 'delete' AND has_anonymous_id AND anonymous_id IS NULL THEN 'bad_id'
    WHEN type = 'alias' AND has_previous_id AND previous_id IS NULL THEN 'bad_id'
    WHEN type = 'delete' AND COALESCE(user_id, '') = '' THEN 'no_id'
    WHEN COALESCE(user_id, '') = '' AND COALESCE(anonymous_id, '') = '' THEN 'no_id'
  END AS fault,
  COALESCE(NULLIF(id, ''), CONCAT('assigned-', message_id)) AS id,
  user_id,
  anonymous_id,
  previous_id,
  -- The name that Segment gives the event's table (varde.ecommerce.table_name).
  TRIM(REGEXP_REPLACE(LOWER(COALESCE(event, '')), r'[^0-9a-z]+', '_'), '_') AS event,
  -- As said: what reads it takes the receipt for a later time. Within what a TIMESTAMP can be.
  LEAST(
    GREATEST(
      COALESCE(happened, IF(said IS NOT NULL AND sent IS NOT NULL, said - sent + original, original), said, published),
      -62135596800000
    ),
    253402300799999
  ) AS timestamp,
  COALESCE(said, published) AS received_at,
  GREATEST(COALESCE(said, published), published) AS loaded_at,
  SUBSTR(user_agent, 1, 512) AS context_user_agent,  -- varde.robots.LONGEST
  consent_given,
  product_id,
  sku,
  variant,
  IF(
    BYTE_LENGTH(order_id) BETWEEN 1 AND 256,
    order_id,
    IF(BYTE_LENGTH(older_order_id) BETWEEN 1 AND 256, older_order_id, NULL)
  ) AS order_id,
  revenue,
  total,
  currency,
  request_id,
  varde_request_id,
  NULLIF(TRIM(products), 'null') AS products
FROM believed
