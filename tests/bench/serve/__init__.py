"""What the bench of serving is made of: a filled Redis, a bare server to compare with, and wrk."""
