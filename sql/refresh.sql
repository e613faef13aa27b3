-- Grain: one row a message for development's archive: what sampled customers of the last night did, under pseudonyms.
-- Parameters: @share (STRING: eight hexadecimal digits; a customer is in the sample when the end of the keyed hash is
--   below it), @least (INT64: an item that fewer customers have is left out: its id may say who somebody is), @consent
--   (STRING: JSON for `context.consent` of every message).
-- Source: varde.histories, varde.order_lines, varde.order_returns (which hold nothing of who was erased or has withdrawn
--   a consent, up to then), varde.interactions, varde.identity, varde.pseudonym_key.
-- Nothing is copied but what is named here: kind of event, item, minute, and keyed hashes of ids and orders. A person's ids
--   are hashed each by itself; what was done under an anonymousId stays so, and a message of its own links it to the user.
-- Without a key there are no rows. Purchases are those that the histories kept, and what was taken back.
WITH
  secret AS (
    SELECT MIN(key) AS key
    FROM varde.pseudonym_key
  ),
  done AS (
    SELECT customer, signal, item, '' AS order_id, time
    FROM varde.histories
    WHERE signal < 2
    UNION ALL
    SELECT l.customer, 2 AS signal, l.item, l.order_id, l.time
    FROM varde.order_lines AS l
    LEFT JOIN varde.histories AS h
      ON l.customer = h.customer AND h.signal = 2 AND l.item = h.item
    WHERE l.returned OR h.customer IS NOT NULL
    UNION ALL
    SELECT customer, 3 AS signal, item, order_id, time
    FROM varde.order_returns
  ),
  common AS (
    SELECT item
    FROM done
    WHERE signal < 3
    GROUP BY item
    HAVING COUNT(DISTINCT customer) >= @least
    UNION ALL
    SELECT '' AS item  -- a whole order that was taken back
  ),
  resolved AS (
    SELECT
      CONCAT('u:', COALESCE(i.user_id, l.user_id)) AS customer,
      i.user_id,
      i.anonymous_id,
      i.signal,
      i.item,
      COALESCE(i.order_id, '') AS order_id,
      i.time
    FROM varde.interactions AS i
    LEFT JOIN varde.identity AS l
      ON i.user_id IS NULL AND i.anonymous_id = l.anonymous_id
    WHERE COALESCE(i.user_id, l.user_id) IS NOT NULL
  ),
  -- The anonymousId that a deed of a user was done under, where the userId was not known.
  senders AS (
    SELECT customer, signal, item, order_id, time, MIN(anonymous_id) AS anonymous_id
    FROM resolved
    GROUP BY customer, signal, item, order_id, time
    HAVING COUNT(user_id) = 0
  ),
  told AS (
    SELECT
      d.customer,
      IF(s.anonymous_id IS NULL, d.customer, CONCAT('a:', s.anonymous_id)) AS sender,
      d.signal,
      d.item,
      IF(d.order_id = '', NULL, CONCAT('o:', d.order_id)) AS order_name,
      d.time - MOD(d.time, 60000) AS time
    FROM done AS d
    JOIN common AS c
      ON d.item = c.item
    LEFT JOIN senders AS s
      ON d.customer = s.customer
        AND d.signal = s.signal
        AND d.item = s.item
        AND d.order_id = s.order_id
        AND d.time = s.time
  ),
  named AS (
    SELECT customer AS id
    FROM told
    UNION DISTINCT
    SELECT sender AS id
    FROM told
    UNION DISTINCT
    SELECT order_name AS id
    FROM told
    WHERE order_name IS NOT NULL
  ),
  -- Hashed twice, so that nobody can go on from a hash that he knows.
  hashed AS (
    SELECT n.id, TO_HEX(SHA256(CONCAT(s.key, TO_HEX(SHA256(CONCAT(s.key, n.id)))))) AS digest
    FROM named AS n
    CROSS JOIN secret AS s
  ),
  sampled AS (
    SELECT
      t.signal,
      t.item,
      t.time,
      STARTS_WITH(t.sender, 'u:') AS known,
      t.sender != t.customer AS linked,
      SUBSTR(c.digest, 1, 32) AS customer,
      SUBSTR(b.digest, 1, 32) AS sender,
      SUBSTR(o.digest, 1, 32) AS order_id
    FROM told AS t
    JOIN hashed AS c
      ON t.customer = c.id
    JOIN hashed AS b
      ON t.sender = b.id
    LEFT JOIN hashed AS o
      ON t.order_name = o.id
    WHERE SUBSTR(c.digest, 57, 8) < @share
  ),
  -- One item under every name that a shop may read it by (VARDE_ITEM_KEYS).
  products AS (
    SELECT
      signal,
      time,
      known,
      sender,
      order_id,
      IF(
        item = '',
        '',
        CONCAT(
          '"product_id":', TO_JSON_STRING(item), ',"sku":', TO_JSON_STRING(item), ',"id":', TO_JSON_STRING(item),
          ',"variant":', TO_JSON_STRING(item)
        )
      ) AS product
    FROM sampled
  ),
  written AS (
    SELECT DISTINCT
      time,
      CONCAT(
        '{"type":"track","event":"',
        CASE signal WHEN 0 THEN 'Product Viewed' WHEN 1 THEN 'Product Added' WHEN 2 THEN 'Order Completed' ELSE 'Order Refunded' END,
        '","',
        IF(known, 'userId', 'anonymousId'),
        '":"',
        sender,
        '","timestamp":',
        CAST(time AS STRING),
        ',"context":{"consent":',
        @consent,
        '},"properties":{',
        IF(order_id IS NULL, '', CONCAT('"order_id":"', order_id, IF(product = '', '"', '",'))),
        CASE WHEN product = '' THEN '' WHEN signal < 2 THEN product ELSE CONCAT('"products":[{', product, '}]') END,
        '}}'
      ) AS data
    FROM products
    UNION DISTINCT
    SELECT
      MIN(time) AS time,
      CONCAT(
        '{"type":"identify","userId":"',
        customer,
        '","anonymousId":"',
        sender,
        '","timestamp":',
        CAST(MIN(time) AS STRING),
        ',"context":{"consent":',
        @consent,
        '}}'
      ) AS data
    FROM sampled
    WHERE linked
    GROUP BY customer, sender
  )
SELECT
  SUBSTR(TO_HEX(SHA256(CONCAT(s.key, w.data))), 1, 32) AS message_id,
  w.time,
  w.data
FROM written AS w
CROSS JOIN secret AS s
