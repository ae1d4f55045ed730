"""Daily counts of predictions, and daily quality metrics of each model version."""
