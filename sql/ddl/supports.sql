-- Grain: one row a universe and item: the number of customers who have the item in that history.
-- Source: sql/supports.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.supports (
  universe INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 any of them.'),
  item STRING OPTIONS (description = 'The item; empty for all customers.'),
  customers INT64 OPTIONS (description = 'Customers who have it in that history.')
)
OPTIONS (description = 'Customers by item, by number; varde.item_supports has the names.')
