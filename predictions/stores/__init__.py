"""The stores of predictions: one interface, chosen by the setting PREDICTION_STORE."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from predictions.stores.interface import PredictionStore

STORES = {
    "sql": "predictions.stores.sql.store.SQLStore",
    "cassandra": "predictions.stores.cassandra.store.CassandraStore",
}


@cache
def get_store() -> PredictionStore:
    """Return this process's store."""
    store: PredictionStore = import_string(STORES[settings.PREDICTION_STORE])()
    return store
