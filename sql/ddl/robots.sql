-- Grain: one row a user agent that is a robot's.
-- Source: batch/nightly.py, from the user agents of sql/user_agents.sql and the list of varde.robots; replaced
--   every night.
CREATE TABLE IF NOT EXISTS varde.robots (
  user_agent STRING OPTIONS (description = 'As sent, at most 512 characters.')
)
OPTIONS (description = 'User agents of robots among those that messages came with.')
