"""The digit network as it serves: normalising, classifying, measuring and comparing."""
