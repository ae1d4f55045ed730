"""The way of one picture: decode, find, classify; its result, and its explanation."""
