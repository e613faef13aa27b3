-- Grain: one row a message that may carry items: product views, additions to a cart, completed orders, and orders
--   that were refunded or cancelled.
-- Source: sql/messages.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.messages (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 a return.'),
  message_id STRING OPTIONS (description = 'Segment\'s messageId; NULL when the message has none.'),
  user_id STRING OPTIONS (description = 'Segment\'s userId.'),
  anonymous_id STRING OPTIONS (description = 'Segment\'s anonymousId.'),
  time INT64 OPTIONS (description = 'When it happened, ms since the epoch.'),
  order_id STRING OPTIONS (description = 'The order that was completed, refunded or cancelled.'),
  user_agent STRING OPTIONS (description = 'As sent.'),
  consent_given BOOL OPTIONS (description = 'Whether every required consent was given.'),
  product_id STRING OPTIONS (description = 'Of a view or cart.'),
  sku STRING OPTIONS (description = 'Of a view or cart.'),
  variant STRING OPTIONS (description = 'Of a view or cart.'),
  products STRING OPTIONS (description = 'JSON array of the products of an order.')
)
OPTIONS (description = 'Messages inside the window that may carry items, each once.')
