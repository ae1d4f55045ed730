class LocalCassandraError(Exception):
    """A local Cassandra cannot be started or does not answer; the message says what to do."""
