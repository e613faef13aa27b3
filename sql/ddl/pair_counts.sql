CREATE TABLE IF NOT EXISTS varde.pair_counts (
  relation INT64 OPTIONS (description = '0 also_viewed, 1 also_bought, 2 viewed_bought.'),
  row_item STRING OPTIONS (description = 'The item that was looked at or bought.'),
  column_item STRING OPTIONS (description = 'The other item.'),
  customers INT64 OPTIONS (description = 'Customers who have both.')
)
OPTIONS (description = 'Customers by pair of items.')
