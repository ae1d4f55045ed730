class LocalCassandraError(Exception):
    """A local Cassandra cannot be started or does not answer; its text says what to do."""
