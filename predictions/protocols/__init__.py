"""Two protocols of model servers: Open Inference Protocol v2, and TensorFlow Serving's REST API.

Nothing else imports this package. To take it out, remove its line in `mnistsite/urls.py`.
"""
