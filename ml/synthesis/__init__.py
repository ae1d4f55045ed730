"""Synthetic training glyphs: augmented digits, and negatives."""
