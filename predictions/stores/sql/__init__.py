"""The store in SQLite or PostgreSQL, by Django's ORM."""
