"""The settings for connecting to Cassandra: docs/use/settings.md lists the variables."""

import re
import ssl
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
DATACENTER = validate.Regexp(r"^[\w.-]+$", error="Not a datacenter's name.")
KEYSPACE = validate.Regexp(r"^[a-z][a-z0-9_]{0,47}$", error="Not a keyspace's name.")
# A statement without an answer by then is also sent to another node, so that a node that hangs
# delays it but does not fail it. The driver does so for idempotent statements.
SPECULATIVE_DELAY_S = 0.3
MAX_SPECULATIVE_ATTEMPTS = 2


def keyspace(env: Env) -> str:
    return env.str("CASSANDRA_KEYSPACE", "mnistsite", validate=KEYSPACE)


def replication(env: Env) -> dict[str, int]:
    """Return the copies per datacenter: 3, or 1 where all contact points are this machine."""
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
    """Return the entry of DATABASES for django-cassandra-engine."""
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
                # Both, so that the site starts while the cluster is down.
                "lazy_connect": True,
                "retry_connect": True,
                **cluster_options(env, datacenter),
            },
        },
    }


def cluster_options(env: Env, datacenter: str) -> dict[str, Any]:
    """Return the driver's options.

    Consistency, balancing and timeouts are in an execution profile, since the engine's own option
    for consistency only holds for its first connection.
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
            SPECULATIVE_DELAY_S, MAX_SPECULATIVE_ATTEMPTS
        ),
    )
    return {
        "port": env.int("CASSANDRA_PORT", 9042, validate=validate.Range(min=1, max=65535)),
        "execution_profiles": {EXEC_PROFILE_DEFAULT: profile},
        "connect_timeout": env.float("CASSANDRA_CONNECT_TIMEOUT", 5.0, validate=seconds),
        "control_connection_timeout": 5.0,
        # Detect a node that hangs by its missing heartbeat.
        "idle_heartbeat_interval": 2,
        "idle_heartbeat_timeout": 3,
        "reconnection_policy": ExponentialReconnectionPolicy(0.5, 10.0),
        "ssl_context": ssl_context(env),
    }


def ssl_context(env: Env) -> ssl.SSLContext | None:
    """Return the TLS context for CASSANDRA_CA_FILE and, for client authentication, _CERT_FILE."""
    authority = _file(env, "CASSANDRA_CA_FILE")
    certificate = _file(env, "CASSANDRA_CERT_FILE")
    key = _file(env, "CASSANDRA_KEY_FILE")
    # Off by default: nodes are reached by IP address, which certificates seldom contain.
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
