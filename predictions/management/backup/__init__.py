"""A site's predictions and what people did with them, as one stream from one site to another."""
