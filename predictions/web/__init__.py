"""What pages and API share: JSON of a prediction, list parameters, cursors, error responses.

Nothing in here renders a page or defines a view.
"""
