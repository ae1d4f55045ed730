"""Who may do what and how often: permissions, visibility, tokens, sign-in, limits, audit log.

What a permission allows is decided here once, for pages, API and admin alike.
"""
