"""What every other package uses: records, ids, errors and metrics.

Nothing in here imports another package of the app, a model or a view.
"""
