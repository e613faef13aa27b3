-- Grain: one row a row of store.catalogue, read as far as it can be; the first thing that cannot is its `fault`.
-- Source: sql/catalogue_rows.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.catalogue_rows (
  item STRING OPTIONS (description = 'The item.'),
  parent STRING OPTIONS (description = 'The item it is a variant of.'),
  title STRING OPTIONS (description = 'Its name.'),
  url STRING OPTIONS (description = 'Its page: http, https or a path.'),
  image STRING OPTIONS (description = 'Its picture: http, https or a path.'),
  price FLOAT64 OPTIONS (description = 'Its price.'),
  currency STRING OPTIONS (description = 'Three capital letters.'),
  stock FLOAT64 OPTIONS (description = 'What is in stock.'),
  categories STRING OPTIONS (description = 'As the shop writes them.'),
  brand STRING OPTIONS (description = 'Who makes it.'),
  texts STRING OPTIONS (description = 'JSON: language -> title and url.'),
  prices STRING OPTIONS (description = 'JSON: currency -> price.'),
  hidden BOOL OPTIONS (description = 'Whether it must not be shown.'),
  updated INT64 OPTIONS (description = 'When the row was written, ms since the epoch.'),
  fault STRING OPTIONS (description = 'The first value that cannot be read; NULL when all can.')
)
OPTIONS (description = 'Rows of store.catalogue as far as they can be read.')
