"""The registry of model versions: adding, comparing, activating and carrying them between sites."""
