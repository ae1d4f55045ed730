"""What people add to predictions: corrections, the review queue, and training data from them.

All of it lives in SQL, whichever store keeps predictions.
"""
