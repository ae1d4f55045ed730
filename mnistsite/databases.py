"""The settings that depend on which database or cache server DATABASE_URL and CACHE_URL name."""

from pathlib import Path
from typing import Any

from environs import Env, validate

from mnistsite import cassandra
from mnistsite.sqlite import PrivateConnection

# The apps that a store needs, if it needs any.
STORE_APPS = {"cassandra": ["django_cassandra_engine"]}


def databases(env: Env, var_dir: Path, prediction_store: str) -> dict[str, Any]:
    entries = {"default": default_database(env, var_dir)}
    if prediction_store == "cassandra":
        entries["cassandra"] = cassandra.database(env)
    return entries


def default_database(env: Env, var_dir: Path) -> dict[str, Any]:
    """Return the SQL database that DATABASE_URL names, by default SQLite in `var_dir`."""
    synchronous = env.str(
        "SQLITE_SYNCHRONOUS", "NORMAL", validate=validate.OneOf(["NORMAL", "FULL"])
    )
    database: dict[str, Any] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": var_dir / "db.sqlite3",
    }
    if env.str("DATABASE_URL", ""):
        database = env.dj_db_url("DATABASE_URL")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Opening the file and setting the pragmas costs more than a query: each thread keeps its
        # connection.
        return database | {"CONN_MAX_AGE": None, "OPTIONS": sqlite_options(synchronous)}
    options: dict[str, Any] = {"connect_timeout": 5} | database.get("OPTIONS", {})
    return database | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def sqlite_options(synchronous: str) -> dict[str, Any]:
    return {
        "factory": PrivateConnection,
        # A deferred transaction cannot wait for the write lock when it upgrades from reading.
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,  # seconds
        "init_command": (
            "PRAGMA journal_mode=WAL;"
            f"PRAGMA synchronous={synchronous};"
            # Checkpoint every 16 MB (800 pictures) instead of every 4: it delays a writer.
            "PRAGMA wal_autocheckpoint=4000;"
            "PRAGMA cache_size=-16000;"  # 16 MB
            "PRAGMA temp_store=MEMORY;"
        ),
    }


def cache(env: Env) -> dict[str, Any]:
    """Return the cache that counts requests: each worker has its own without CACHE_URL."""
    settings: dict[str, Any] = env.dj_cache_url("CACHE_URL", "locmem://")
    if "locmem" in settings["BACKEND"]:
        return settings | {"OPTIONS": {"MAX_ENTRIES": 100_000}}
    return settings | {"OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1}}
