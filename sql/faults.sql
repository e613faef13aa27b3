-- Grain: one row a signal and reason: how many messages inside the window did not count, each by its first reason; and
--   how many have a time that is missing or cannot be true.
-- Parameters: @window_start, @as_of (INT64, ms: of raw messages, first and last time of receipt that counts).
-- Source: varde.messages, varde.interactions, varde.robots; varde.raw, varde.sales,
--   varde.catalogue_rows, varde.clocks.
-- Reasons: `robot`, `no_consent` (these two are no faults of the shop's), `no_customer` (neither id), `id_too_long` (an id
--   over 256 bytes), `no_order_id` (a return that does not say of what), `products_missing` (a purchase without the
--   text), `products_malformed` (the text is no JSON array, for one because it was cut), `no_item` (none of these, and
--   no product with a usable id). Signal 3 is a return.
--   Rows of the store's sales (4) and of its catalogue (5), and raw messages that could not be read (6), have the reasons
--   of sales, catalogue_rows and raw.
--   Times have the reasons of clocks, beside any other: of these, `future_time` and `no_loaded_at` count all the same.
--   Signal 7 is a call that may link ids.
WITH
  with_items AS (
    SELECT DISTINCT signal, message_id
    FROM varde.interactions
  ),
  judged AS (
    SELECT
      m.signal,
      CASE
        WHEN r.user_agent IS NOT NULL THEN 'robot'
        WHEN NOT m.consent_given THEN 'no_consent'
        WHEN m.user_id IS NULL AND m.anonymous_id IS NULL THEN 'no_customer'
        WHEN COALESCE(BYTE_LENGTH(m.user_id), 0) > 256 THEN 'id_too_long'
        WHEN COALESCE(BYTE_LENGTH(m.anonymous_id), 0) > 256 THEN 'id_too_long'
        WHEN m.signal = 3 AND m.order_id IS NULL THEN 'no_order_id'
        WHEN m.signal = 2 AND m.products IS NULL THEN 'products_missing'
        WHEN m.products IS NOT NULL AND JSON_QUERY_ARRAY(m.products) IS NULL THEN 'products_malformed'
        WHEN i.signal IS NULL THEN 'no_item'
      END AS reason
    FROM varde.messages AS m
    LEFT JOIN with_items AS i
      ON i.signal = m.signal AND COALESCE(i.message_id, '') = COALESCE(m.message_id, '')
    LEFT JOIN varde.robots AS r
      ON m.user_agent = r.user_agent
  )
SELECT signal, reason, COUNT(*) AS messages
FROM judged
WHERE reason IS NOT NULL
GROUP BY signal, reason
UNION ALL
SELECT 4 AS signal, fault AS reason, COUNT(*) AS messages
FROM varde.sales
WHERE fault IS NOT NULL
GROUP BY fault
UNION ALL
SELECT 5 AS signal, fault AS reason, COUNT(*) AS messages
FROM varde.catalogue_rows
WHERE fault IS NOT NULL
GROUP BY fault
UNION ALL
SELECT 6 AS signal, fault AS reason, COUNT(*) AS messages
FROM varde.raw
WHERE fault IS NOT NULL
  AND (received_at IS NULL OR received_at BETWEEN @window_start AND @as_of)
GROUP BY fault
UNION ALL
SELECT signal, reason, COUNT(*) AS messages
FROM varde.clocks
GROUP BY signal, reason
