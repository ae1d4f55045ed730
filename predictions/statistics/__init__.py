"""What was predicted, by day: counts of all predictions and the quality of each model version."""
