"""Reading handwritten digits, from image bytes to digits. Independent of Django.

Each package imports only from lower layers; `pyproject.toml` lists their order.
"""
