-- Grain: one row a universe and item, by name: the number of customers who have the item in that history.
-- Source: sql/item_supports.sql; replaced at the end of a run that was applied.
CREATE TABLE IF NOT EXISTS varde.item_supports (
  universe STRING OPTIONS (description = '`view`, `cart`, `purchase`, or `any` of them.'),
  item STRING OPTIONS (description = 'The item; NULL where all customers of the universe are counted.'),
  customers INT64 OPTIONS (description = 'Customers who have it in that history.')
)
CLUSTER BY universe, item
OPTIONS (description = 'How many customers viewed, carted or bought an item. For reports.')
