"""Other ways to serve the same network, following their documentation."""
