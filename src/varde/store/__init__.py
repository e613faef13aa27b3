"""Redis: scripts and the sync and asyncio sides."""
