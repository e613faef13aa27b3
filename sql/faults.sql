-- Grain: one row a signal and reason: how many messages inside the window were read only in part or not at all.
-- Parameters: none.
-- Source: varde.messages, varde.interactions.
-- Reasons: `no_customer` (neither id), `id_too_long` (an id over 256 bytes), `products_missing` (a purchase without the
--   text), `products_malformed` (the text is no JSON array, for one because it was cut), `no_item` (none of these, and
--   no product with a usable id).
WITH
  with_items AS (
    SELECT DISTINCT signal, message_id
    FROM varde.interactions
  ),
  found AS (
    SELECT
      m.signal,
      m.user_id IS NULL AND m.anonymous_id IS NULL AS no_customer,
      COALESCE(BYTE_LENGTH(m.user_id), 0) > 256 OR COALESCE(BYTE_LENGTH(m.anonymous_id), 0) > 256 AS id_too_long,
      m.signal = 2 AND m.products IS NULL AS products_missing,
      m.products IS NOT NULL AND JSON_QUERY_ARRAY(m.products) IS NULL AS products_malformed,
      i.signal IS NULL AS no_item
    FROM varde.messages AS m
    LEFT JOIN with_items AS i
      ON i.signal = m.signal AND COALESCE(i.message_id, '') = COALESCE(m.message_id, '')
  )
SELECT signal, 'no_customer' AS reason, COUNT(*) AS messages
FROM found
WHERE no_customer
GROUP BY signal
UNION ALL
SELECT signal, 'id_too_long' AS reason, COUNT(*) AS messages
FROM found
WHERE id_too_long
GROUP BY signal
UNION ALL
SELECT signal, 'products_missing' AS reason, COUNT(*) AS messages
FROM found
WHERE products_missing
GROUP BY signal
UNION ALL
SELECT signal, 'products_malformed' AS reason, COUNT(*) AS messages
FROM found
WHERE products_malformed
GROUP BY signal
UNION ALL
SELECT signal, 'no_item' AS reason, COUNT(*) AS messages
FROM found
WHERE no_item AND NOT (no_customer OR id_too_long OR products_missing OR products_malformed)
GROUP BY signal
