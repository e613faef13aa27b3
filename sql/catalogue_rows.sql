-- Grain: one row a row of store.catalogue, read as far as it can be; the first thing that cannot is its `fault`.
-- Parameters: none.
-- Source: store.catalogue, which a shop fills from its ERP; optional.
-- Every value may have any type: it is read by its text. Reasons: `no_item`, `id_too_long` (over 256 bytes; these two are
--   no items), `bad_price`, `bad_stock`, `bad_hidden`, `bad_updated`, `bad_url`, `bad_currency` (the value is left out).
-- `texts` and `prices` are JSON, which `varde catalogue load` reads.
-- A link is one of http, https or a path of the shop's: nothing else belongs into a page.
WITH
  texts AS (
    SELECT
      NULLIF(TRIM(SAFE_CAST(t.item AS STRING)), '') AS item,
      NULLIF(TRIM(SAFE_CAST(t.parent AS STRING)), '') AS parent,
      NULLIF(TRIM(SAFE_CAST(t.title AS STRING)), '') AS title,
      NULLIF(TRIM(SAFE_CAST(t.url AS STRING)), '') AS url,
      NULLIF(TRIM(SAFE_CAST(t.image AS STRING)), '') AS image,
      NULLIF(TRIM(SAFE_CAST(t.price AS STRING)), '') AS price,
      NULLIF(UPPER(TRIM(SAFE_CAST(t.currency AS STRING))), '') AS currency,
      NULLIF(TRIM(SAFE_CAST(t.stock AS STRING)), '') AS stock,
      NULLIF(TRIM(SAFE_CAST(t.categories AS STRING)), '') AS categories,
      NULLIF(TRIM(SAFE_CAST(t.brand AS STRING)), '') AS brand,
      NULLIF(TRIM(SAFE_CAST(t.texts AS STRING)), '') AS texts,
      NULLIF(TRIM(SAFE_CAST(t.prices AS STRING)), '') AS prices,
      NULLIF(LOWER(TRIM(SAFE_CAST(t.hidden AS STRING))), '') AS hidden,
      NULLIF(TRIM(SAFE_CAST(t.updated AS STRING)), '') AS updated
    FROM store.catalogue AS t
    WHERE TRUE
  ),
  read AS (
    SELECT
      item,
      parent,
      title,
      url,
      IF(REGEXP_CONTAINS(url, r'^(https?://|/)'), url, NULL) AS good_url,
      image,
      IF(REGEXP_CONTAINS(image, r'^(https?://|/)'), image, NULL) AS good_image,
      price,
      IF(REGEXP_CONTAINS(price, r'^[0-9]{1,15}([.][0-9]+)?$'), SAFE_CAST(price AS FLOAT64), NULL) AS good_price,
      currency,
      IF(REGEXP_CONTAINS(currency, r'^[A-Z]{3}$'), currency, NULL) AS good_currency,
      stock,
      IF(REGEXP_CONTAINS(stock, r'^-?[0-9]{1,15}([.][0-9]+)?$'), SAFE_CAST(stock AS FLOAT64), NULL) AS good_stock,
      categories,
      brand,
      texts,
      prices,
      hidden,
      CASE
        WHEN hidden IS NULL THEN FALSE
        WHEN hidden IN ('true', 't', 'yes', 'y', '1') THEN TRUE
        WHEN hidden IN ('false', 'f', 'no', 'n', '0') THEN FALSE
      END AS good_hidden,
      updated,
      IF(
        REGEXP_CONTAINS(updated, r'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9]{1,2}:.*)?$'),
        UNIX_MILLIS(SAFE_CAST(updated AS TIMESTAMP)),
        NULL
      ) AS good_updated
    FROM texts
  )
SELECT
  item,
  parent,
  title,
  good_url AS url,
  good_image AS image,
  good_price AS price,
  good_currency AS currency,
  good_stock AS stock,
  categories,
  brand,
  texts,
  prices,
  COALESCE(good_hidden, FALSE) AS hidden,
  good_updated AS updated,
  CASE
    WHEN item IS NULL THEN 'no_item'
    WHEN BYTE_LENGTH(item) > 256 OR COALESCE(BYTE_LENGTH(parent), 0) > 256 THEN 'id_too_long'
    WHEN price IS NOT NULL AND good_price IS NULL THEN 'bad_price'
    WHEN stock IS NOT NULL AND good_stock IS NULL THEN 'bad_stock'
    WHEN good_hidden IS NULL THEN 'bad_hidden'
    WHEN updated IS NOT NULL AND good_updated IS NULL THEN 'bad_updated'
    WHEN url IS NOT NULL AND good_url IS NULL THEN 'bad_url'
    WHEN image IS NOT NULL AND good_image IS NULL THEN 'bad_url'
    WHEN currency IS NOT NULL AND good_currency IS NULL THEN 'bad_currency'
  END AS fault
FROM read
