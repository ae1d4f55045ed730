"""Other ways to serve the same network, as their documentation shows them."""
