"""A shadow version: it reads a share of live pictures after the active version has answered.

What it reads is compared and thrown away. Nothing else of the site needs this package: `services`
offers what was read and tells of deletions, pages, API and commands show and control it.
"""
