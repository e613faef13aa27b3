"""The HTTP server: answers storefront widgets and people from Redis alone. Installed as varde.server."""
