"""What every other package speaks of: records, ids, errors and counters.

Nothing in here imports another package of the app, a model or a view.
"""
