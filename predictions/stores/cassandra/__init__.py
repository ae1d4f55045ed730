"""The store in Apache Cassandra: tables by django-cassandra-engine, prepared statements.

Imported only where PREDICTION_STORE chooses it, since its driver has to be configured first.
"""
