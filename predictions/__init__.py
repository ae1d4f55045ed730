"""The one Django app: what is stored, shown, asked and answered.

Each package below imports only from packages beneath it; `pyproject.toml` lists the order. At the
top stand only the modules that Django looks for by name.
"""
