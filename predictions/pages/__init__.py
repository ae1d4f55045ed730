"""The HTML pages: views, forms and presentation."""
