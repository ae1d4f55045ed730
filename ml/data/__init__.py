"""Data sets of labelled digits: MNIST's files, and how they are fetched and split."""
