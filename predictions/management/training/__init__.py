"""What `manage.py train` does, one module a job."""
