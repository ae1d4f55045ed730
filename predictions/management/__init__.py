"""The commands of manage.py, one module each, and the progress bar that they share."""
