"""Predictions as files, made piece by piece: CSV, JSON lines and MNIST's format."""
