"""Webhooks: what happens here is sent to other systems, as https://www.standardwebhooks.com says.

Events are put into an outbox together with the rows they report: by `emit`, or by the store that
keeps those of `events_of`. `manage.py sendwebhooks` takes them from there, and sends a delivery to
each endpoint that wants it until it is accepted.
"""
