"""Data sets of labelled digits: MNIST's files and their split."""
