-- Grain: one row a message and item: a customer did `signal` with `item` at `time`; signal 3 took `item` of an order back,
--   or the whole order, whose item is ''.
-- Parameters: @item_keys (ARRAY<STRING>: product fields tried in this order for the item id; of product_id, sku, id,
--   variant).
-- Source: varde.messages, varde.robots.
-- The item of a product is its first usable field: a string, or an integer in JSON, of 1 to 256 bytes in UTF-8. Outside
-- an array `id` is the message's own column, for which Segment discards a property of that name. A purchase has its items
-- in `products`, views and carts name one product. A return has to say of which order; without products it is of all of
-- it, and with products of which none is usable it is none. A message with an id over 256 bytes is not counted at all,
-- nor is one of a robot or without a required consent.
WITH
  ours AS (
    SELECT
      m.signal,
      m.message_id,
      m.user_id,
      m.anonymous_id,
      m.time,
      m.order_id,
      m.product_id,
      m.sku,
      m.variant,
      m.products
    FROM varde.messages AS m
    LEFT JOIN varde.robots AS r
      ON m.user_agent = r.user_agent
    WHERE r.user_agent IS NULL
      AND m.consent_given
      AND (m.user_id IS NOT NULL OR m.anonymous_id IS NOT NULL)
      AND COALESCE(BYTE_LENGTH(m.user_id), 0) <= 256
      AND COALESCE(BYTE_LENGTH(m.anonymous_id), 0) <= 256
      AND (m.signal != 3 OR m.order_id IS NOT NULL)
  ),
  listed AS (
    SELECT
      m.signal,
      m.message_id,
      m.user_id,
      m.anonymous_id,
      m.time,
      m.order_id,
      JSON_QUERY(product, '$.product_id') AS product_id_json,
      JSON_VALUE(product, '$.product_id') AS product_id_text,
      JSON_QUERY(product, '$.sku') AS sku_json,
      JSON_VALUE(product, '$.sku') AS sku_text,
      JSON_QUERY(product, '$.id') AS id_json,
      JSON_VALUE(product, '$.id') AS id_text,
      JSON_QUERY(product, '$.variant') AS variant_json,
      JSON_VALUE(product, '$.variant') AS variant_text
    FROM ours AS m
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(m.products)) AS product
  ),
  -- JSON_VALUE formats numbers, so only strings and whole numbers pass, told apart by their JSON text.
  named AS (
    SELECT
      signal,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      CASE
        WHEN STARTS_WITH(product_id_json, '"') THEN product_id_text
        WHEN REGEXP_CONTAINS(product_id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN product_id_json
      END AS product_id,
      CASE
        WHEN STARTS_WITH(sku_json, '"') THEN sku_text
        WHEN REGEXP_CONTAINS(sku_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN sku_json
      END AS sku,
      CASE
        WHEN STARTS_WITH(id_json, '"') THEN id_text
        WHEN REGEXP_CONTAINS(id_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN id_json
      END AS id,
      CASE
        WHEN STARTS_WITH(variant_json, '"') THEN variant_text
        WHEN REGEXP_CONTAINS(variant_json, r'^(0|-?[1-9][0-9]{0,19})$') THEN variant_json
      END AS variant
    FROM listed
    UNION ALL
    SELECT
      signal,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      product_id,
      sku,
      CAST(NULL AS STRING) AS id,
      variant
    FROM ours
    WHERE signal < 2
  ),
  usable AS (
    SELECT
      signal,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      IF(BYTE_LENGTH(product_id) BETWEEN 1 AND 256, product_id, NULL) AS product_id,
      IF(BYTE_LENGTH(sku) BETWEEN 1 AND 256, sku, NULL) AS sku,
      IF(BYTE_LENGTH(id) BETWEEN 1 AND 256, id, NULL) AS id,
      IF(BYTE_LENGTH(variant) BETWEEN 1 AND 256, variant, NULL) AS variant
    FROM named
  ),
  chosen AS (
    SELECT
      signal,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      COALESCE(
        CASE @item_keys[SAFE_OFFSET(0)]
          WHEN 'product_id' THEN product_id WHEN 'sku' THEN sku WHEN 'id' THEN id WHEN 'variant' THEN variant
        END,
        CASE @item_keys[SAFE_OFFSET(1)]
          WHEN 'product_id' THEN product_id WHEN 'sku' THEN sku WHEN 'id' THEN id WHEN 'variant' THEN variant
        END,
        CASE @item_keys[SAFE_OFFSET(2)]
          WHEN 'product_id' THEN product_id WHEN 'sku' THEN sku WHEN 'id' THEN id WHEN 'variant' THEN variant
        END,
        CASE @item_keys[SAFE_OFFSET(3)]
          WHEN 'product_id' THEN product_id WHEN 'sku' THEN sku WHEN 'id' THEN id WHEN 'variant' THEN variant
        END
      ) AS item
    FROM usable
  )
SELECT DISTINCT signal, message_id, user_id, anonymous_id, time, order_id, item
FROM chosen
WHERE item IS NOT NULL
UNION ALL
SELECT DISTINCT signal, message_id, user_id, anonymous_id, time, order_id, '' AS item
FROM ours
WHERE signal = 3
  AND (products IS NULL OR ARRAY_LENGTH(JSON_QUERY_ARRAY(products)) = 0)
