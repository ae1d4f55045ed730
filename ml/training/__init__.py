"""Training: architectures, recipes, batches, fitting, fine-tuning and export.

The only package that may import TensorFlow.
"""
