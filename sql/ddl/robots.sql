CREATE TABLE IF NOT EXISTS varde.robots (
  user_agent STRING OPTIONS (description = 'As sent, at most 512 characters.')
)
OPTIONS (description = 'User agents of robots among those that messages came with.')
