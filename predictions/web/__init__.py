"""Shared by pages and API: JSON of predictions, query parameters, error responses."""
