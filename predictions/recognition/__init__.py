"""Between an upload and `ml`: uploads, the reader of the active version, previews, explanations.

The only package besides `registry` and `review.training_data` that calls `ml` to read.
"""
