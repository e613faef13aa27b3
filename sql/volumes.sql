-- Grain: one row a signal: how many messages inside the window may carry items (3: returns of orders).
-- Parameters: none.
-- Source: varde.messages.
SELECT signal, COUNT(*) AS messages
FROM varde.messages
GROUP BY signal
