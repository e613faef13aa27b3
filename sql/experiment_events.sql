-- Grain: one row a message and product; one a message where it names none.
-- Parameters: @item_keys (ARRAY<STRING>: product fields tried in this order for the item id; of product_id, sku, id,
--   variant).
-- Source: varde.experiment_messages, varde.robots, varde.identity, varde.forgotten.
-- Items are found as in interactions.sql, customers as in deeds.sql. A product without a usable id stays, without an item:
-- it has a price. Messages of robots, without a required consent, without a customer, with an id over 256 bytes, of
-- customers up to when they are forgotten, and returns that do not say of which order, have no row.
WITH
  ours AS (
    SELECT
      m.kind,
      m.message_id,
      m.user_id,
      m.anonymous_id,
      m.time,
      m.order_id,
      m.request_id,
      m.revenue,
      m.total,
      m.currency,
      m.cancelled,
      m.product_id,
      m.sku,
      m.variant,
      m.products,
      IF(
        COALESCE(m.user_id, l.user_id) IS NULL, CONCAT('a:', m.anonymous_id), CONCAT('u:', COALESCE(m.user_id, l.user_id))
      ) AS customer
    FROM varde.experiment_messages AS m
    LEFT JOIN varde.robots AS r
      ON m.user_agent = r.user_agent
    LEFT JOIN varde.identity AS l
      ON m.user_id IS NULL AND m.anonymous_id = l.anonymous_id
    WHERE r.user_agent IS NULL
      AND m.consent_given
      AND (m.user_id IS NOT NULL OR m.anonymous_id IS NOT NULL)
      AND COALESCE(BYTE_LENGTH(m.user_id), 0) <= 256
      AND COALESCE(BYTE_LENGTH(m.anonymous_id), 0) <= 256
      AND (m.kind != 'return' OR m.order_id IS NOT NULL)
  ),
  kept AS (
    SELECT
      o.kind,
      o.message_id,
      o.user_id,
      o.anonymous_id,
      o.time,
      o.order_id,
      o.request_id,
      o.revenue,
      o.total,
      o.currency,
      o.cancelled,
      o.product_id,
      o.sku,
      o.variant,
      o.products,
      o.customer
    FROM ours AS o
    LEFT JOIN varde.forgotten AS f
      ON o.customer = f.customer
    WHERE f.time IS NULL OR o.time > f.time
  ),
  listed AS (
    SELECT
      k.kind,
      k.message_id,
      k.user_id,
      k.anonymous_id,
      k.time,
      k.order_id,
      k.request_id,
      k.revenue,
      k.total,
      k.currency,
      k.cancelled,
      k.customer,
      JSON_QUERY(product, '$.product_id') AS product_id_json,
      JSON_VALUE(product, '$.product_id') AS product_id_text,
      JSON_QUERY(product, '$.sku') AS sku_json,
      JSON_VALUE(product, '$.sku') AS sku_text,
      JSON_QUERY(product, '$.id') AS id_json,
      JSON_VALUE(product, '$.id') AS id_text,
      JSON_QUERY(product, '$.variant') AS variant_json,
      JSON_VALUE(product, '$.variant') AS variant_text,
      JSON_VALUE(product, '$.price') AS price,
      JSON_VALUE(product, '$.quantity') AS quantity
    FROM kept AS k
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(k.products)) AS product
  ),
  named AS (
    SELECT
      kind,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      request_id,
      revenue,
      total,
      currency,
      cancelled,
      customer,
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
      END AS variant,
      IF(REGEXP_CONTAINS(price, r'^[0-9]{1,15}([.][0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$'), SAFE_CAST(price AS FLOAT64), NULL) AS price,
      IF(REGEXP_CONTAINS(quantity, r'^[0-9]{1,6}([.][0-9]{1,20})?$'), SAFE_CAST(quantity AS FLOAT64), NULL) AS quantity,
      TRUE AS product
    FROM listed
    UNION ALL
    SELECT
      kind,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      request_id,
      revenue,
      total,
      currency,
      cancelled,
      customer,
      product_id,
      sku,
      CAST(NULL AS STRING) AS id,
      variant,
      CAST(NULL AS FLOAT64) AS price,
      CAST(NULL AS FLOAT64) AS quantity,
      kind IN ('view', 'click', 'cart') AS product
    FROM kept
    WHERE products IS NULL OR COALESCE(ARRAY_LENGTH(JSON_QUERY_ARRAY(products)), 0) = 0
  ),
  usable AS (
    SELECT
      kind,
      message_id,
      user_id,
      anonymous_id,
      time,
      order_id,
      request_id,
      revenue,
      total,
      currency,
      cancelled,
      customer,
      price,
      quantity,
      product,
      IF(BYTE_LENGTH(product_id) BETWEEN 1 AND 256, product_id, NULL) AS product_id,
      IF(BYTE_LENGTH(sku) BETWEEN 1 AND 256, sku, NULL) AS sku,
      IF(BYTE_LENGTH(id) BETWEEN 1 AND 256, id, NULL) AS id,
      IF(BYTE_LENGTH(variant) BETWEEN 1 AND 256, variant, NULL) AS variant
    FROM named
  )
SELECT
  kind,
  message_id,
  customer,
  user_id,
  anonymous_id,
  time,
  order_id,
  request_id,
  revenue,
  total,
  currency,
  cancelled,
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
  ) AS item,
  IF(price <= 1e12, price, NULL) AS price,
  IF(quantity > 0, quantity, NULL) AS quantity,
  product
FROM usable
