"""Training a network: architectures, recipes, batches, fitting, fine-tuning, export.

The only package that may import TensorFlow.
"""
