CREATE TABLE IF NOT EXISTS varde.item_supports (
  universe STRING OPTIONS (description = '`view`, `cart`, `purchase`, or `any` of them.'),
  item STRING OPTIONS (description = 'The item; NULL where all customers of the universe are counted.'),
  customers INT64 OPTIONS (description = 'Customers who have it in that history.')
)
CLUSTER BY universe, item
OPTIONS (description = 'How many customers viewed, carted or bought an item. For reports.')
