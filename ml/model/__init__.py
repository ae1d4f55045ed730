"""The digit network in production: normalisation, classification, evaluation, comparison."""
