"""The stores of predictions: one interface, chosen by the setting PREDICTION_STORE.

The settings read their names here, so nothing is imported before it is used.
"""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from predictions.stores.interface import PredictionStore

# By what PREDICTION_STORE calls them, and nowhere else.
STORES = {
    "sql": "predictions.stores.sql.store.SQLStore",
    "cassandra": "predictions.stores.cassandra.store.CassandraStore",
}


@cache
def get_store() -> "PredictionStore":
    """Return this process's store."""
    store: PredictionStore = import_string(STORES[settings.PREDICTION_STORE])()
    return store
