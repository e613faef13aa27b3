-- Grain: one row an item of the shop's catalogue, as it was updated last.
-- Source: sql/catalogue.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.catalogue (
  item STRING OPTIONS (description = 'The item.'),
  parent STRING OPTIONS (description = 'The item it is a variant of.'),
  title STRING OPTIONS (description = 'Its name.'),
  url STRING OPTIONS (description = 'Its page: http, https or a path.'),
  image STRING OPTIONS (description = 'Its picture: http, https or a path.'),
  price FLOAT64 OPTIONS (description = 'Its price.'),
  currency STRING OPTIONS (description = 'Three capital letters.'),
  stock FLOAT64 OPTIONS (description = 'What is in stock; NULL when the shop does not say.'),
  categories STRING OPTIONS (description = 'As the shop writes them.'),
  brand STRING OPTIONS (description = 'Who makes it.'),
  texts STRING OPTIONS (description = 'JSON: language -> title and url.'),
  prices STRING OPTIONS (description = 'JSON: currency -> price.'),
  hidden BOOL OPTIONS (description = 'Whether it must not be shown.'),
  sold_out BOOL OPTIONS (description = 'Whether the stock is known and nothing is left.'),
  updated INT64 OPTIONS (description = 'When the row was written, ms since the epoch.')
)
CLUSTER BY item
OPTIONS (description = 'The shop\'s items as they were updated last.')
