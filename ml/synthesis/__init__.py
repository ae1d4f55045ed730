"""Training pictures that are made: augmented digits, and drawings that are no digits."""
