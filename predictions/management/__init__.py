"""The commands of manage.py, one module each, and the progress bar that they share."""

INTERRUPTED = 130  # exit status: what a shell says of a program that Ctrl-C ended
