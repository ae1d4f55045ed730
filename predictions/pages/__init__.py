"""The HTML pages: views, forms and what the templates show."""
