"""Access control for pages, API and admin: permissions, tokens, sign-in, limits, audit log."""
