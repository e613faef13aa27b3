-- Grain: one row an item of the shop's catalogue, as it was updated last.
-- Parameters: none.
-- Source: varde.catalogue_rows.
-- Rows without a date are the oldest; of rows of one moment, one without a fault, then the order of their texts decides.
-- The catalogue is what the shop sells now, whatever @as_of is.
SELECT
  item,
  parent,
  title,
  url,
  image,
  price,
  currency,
  stock,
  categories,
  brand,
  texts,
  prices,
  hidden,
  COALESCE(stock <= 0, FALSE) AS sold_out,
  updated
FROM varde.catalogue_rows
WHERE item IS NOT NULL
  AND COALESCE(fault, '') != 'id_too_long'
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY item
  ORDER BY
    COALESCE(updated, -1) DESC,
    COALESCE(fault, ''),
    COALESCE(title, ''),
    COALESCE(url, ''),
    COALESCE(price, -1),
    COALESCE(stock, -1),
    COALESCE(parent, ''),
    COALESCE(image, ''),
    COALESCE(categories, ''),
    COALESCE(brand, ''),
    COALESCE(texts, ''),
    COALESCE(prices, ''),
    COALESCE(currency, ''),
    hidden
) = 1
