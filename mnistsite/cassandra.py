"""The settings of the Cassandra store, from the environment: docs/use/settings.md lists them."""

import re
import ssl
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
DATACENTER = validate.Regexp(r"^[\w.-]+$", error="Not a datacenter's name.")
KEYSPACE = validate.Regexp(r"^[a-z][a-z0-9_]{0,47}$", error="Not a keyspace's name.")
# A statement that has not been answered by then is sent to another node as well. All that the
# store sends is idempotent, so that a node that hangs costs this time and no failure.
SPECULATE_AFTER_S = 0.3
SPECULATE_AT_MOST = 2


def keyspace(env: Env) -> str:
    return env.str("CASSANDRA_KEYSPACE", "mnistsite", validate=KEYSPACE)


def replication(env: Env) -> dict[str, int]:
    """Say how many copies which datacenter keeps: three, but one where all is on this machine."""
    local = all(LOOPBACK.fullmatch(point) for point in contact_points(env))
    copies = env.int(
        "CASSANDRA_REPLICATION_FACTOR", 1 if local else 3, validate=validate.Range(min=1)
    )
    return {env.str("CASSANDRA_DATACENTER", "datacenter1", validate=DATACENTER): copies}


def contact_points(env: Env) -> list[str]:
    points: list[str] = env.list("CASSANDRA_CONTACT_POINTS", ["127.0.0.1"])
    points = [point.strip() for point in points]
    if not all(points):
        raise ImproperlyConfigured(
            "CASSANDRA_CONTACT_POINTS has to name nodes, with commas between them."
        )
    return points


def database(env: Env) -> dict[str, Any]:
    """Make the entry of DATABASES that django-cassandra-engine reads."""
    (datacenter,) = replication(env)
    user, password = env.str("CASSANDRA_USERNAME", ""), env.str("CASSANDRA_PASSWORD", "")
    if bool(user) != bool(password):
        raise ImproperlyConfigured(
            "CASSANDRA_USERNAME and CASSANDRA_PASSWORD are set together, or neither is."
        )
    return {
        "ENGINE": "django_cassandra_engine",
        "NAME": keyspace(env),
        "HOST": ",".join(contact_points(env)),
        "USER": user,
        "PASSWORD": password,
        "OPTIONS": {
            "replication": {
                "strategy_class": "NetworkTopologyStrategy",
                **replication(env),
            },
            "connection": {
                # Both together, or a cluster that is down at the start would end the start.
                "lazy_connect": True,
                "retry_connect": True,
                **cluster_options(env, datacenter),
            },
        },
    }


def cluster_options(env: Env, datacenter: str) -> dict[str, Any]:
    """Say how the driver talks to the cluster.

    Consistency, balancing and timeouts stand in an execution profile: the engine takes its own
    option for consistency out of the settings at the first connection, and forgets it.
    """
    from cassandra import ConsistencyLevel
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile
    from cassandra.policies import (
        ConstantSpeculativeExecutionPolicy,
        DCAwareRoundRobinPolicy,
        ExponentialReconnectionPolicy,
        TokenAwarePolicy,
    )
    from cassandra.query import dict_factory

    seconds = validate.Range(min=0, min_inclusive=False, max=600)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(datacenter)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=env.float("CASSANDRA_REQUEST_TIMEOUT", 4.0, validate=seconds),
        row_factory=dict_factory,
        speculative_execution_policy=ConstantSpeculativeExecutionPolicy(
            SPECULATE_AFTER_S, SPECULATE_AT_MOST
        ),
    )
    return {
        "port": env.int("CASSANDRA_PORT", 9042, validate=validate.Range(min=1, max=65535)),
        "execution_profiles": {EXEC_PROFILE_DEFAULT: profile},
        "connect_timeout": env.float("CASSANDRA_CONNECT_TIMEOUT", 5.0, validate=seconds),
        "control_connection_timeout": 5.0,
        # A node that hangs is noticed by its missing heartbeat, and left out until it answers.
        "idle_heartbeat_interval": 2,
        "idle_heartbeat_timeout": 3,
        "reconnection_policy": ExponentialReconnectionPolicy(0.5, 10.0),
        "ssl_context": ssl_context(env),
    }


def ssl_context(env: Env) -> ssl.SSLContext | None:
    """Trust CASSANDRA_CA_FILE, and show CASSANDRA_CERT_FILE with its key where nodes ask for it."""
    authority = _file(env, "CASSANDRA_CA_FILE")
    certificate = _file(env, "CASSANDRA_CERT_FILE")
    key = _file(env, "CASSANDRA_KEY_FILE")
    # Nodes are known by address, and their certificates seldom name it.
    check_hostname = env.bool("CASSANDRA_CHECK_HOSTNAME", False)
    if key and not certificate:
        raise ImproperlyConfigured("CASSANDRA_KEY_FILE needs CASSANDRA_CERT_FILE beside it.")
    if authority is None:
        if certificate:
            raise ImproperlyConfigured("CASSANDRA_CERT_FILE needs CASSANDRA_CA_FILE beside it.")
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority))
        context.check_hostname = check_hostname
        if certificate:
            context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ImproperlyConfigured(
            f"CASSANDRA_CA_FILE, CASSANDRA_CERT_FILE or CASSANDRA_KEY_FILE: {error}"
        ) from error
    return context


def _file(env: Env, name: str) -> Path | None:
    text = env.str(name, "")
    if not text:
        return None
    if not Path(text).is_file():
        raise ImproperlyConfigured(f"{name} names a file that is not there: {text}")
    return Path(text)
