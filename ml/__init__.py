"""Reading handwritten digits: from a picture's bytes to the digits in it. No Django in here.

Each package imports only from packages beneath it; `pyproject.toml` lists the order.
"""
