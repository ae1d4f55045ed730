"""What people say of predictions: corrections, the review queue, and what to learn from them.

All of it lives in SQL, whichever store keeps predictions.
"""
