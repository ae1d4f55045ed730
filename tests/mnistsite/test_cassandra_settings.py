"""Connection settings for Cassandra from the environment."""

import os

import certifi
import pytest
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError

from mnistsite import cassandra


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CASSANDRA_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CASSANDRA_CONTACT_POINTS", " , "),
        ("CASSANDRA_CONTACT_POINTS", "10.0.0.1,,10.0.0.2"),
        ("CASSANDRA_PORT", "cql"),
        ("CASSANDRA_PORT", "70000"),
        ("CASSANDRA_KEYSPACE", "My Keyspace"),
        ("CASSANDRA_KEYSPACE", "a" * 49),
        ("CASSANDRA_DATACENTER", " "),
        ("CASSANDRA_DATACENTER", "east'"),
        ("CASSANDRA_REPLICATION_FACTOR", "0"),
        ("CASSANDRA_REPLICATION_FACTOR", "all"),
        ("CASSANDRA_REQUEST_TIMEOUT", "0"),
        ("CASSANDRA_CONNECT_TIMEOUT", "soon"),
        ("CASSANDRA_CA_FILE", "/nowhere/ca.pem"),
        ("CASSANDRA_CA_FILE", __file__),
        ("CASSANDRA_CERT_FILE", "/nowhere/cert.pem"),
        ("CASSANDRA_CERT_FILE", __file__),
        ("CASSANDRA_KEY_FILE", __file__),
        ("CASSANDRA_CHECK_HOSTNAME", "maybe"),
        ("CASSANDRA_USERNAME", "ada"),
        ("CASSANDRA_PASSWORD", "secret"),
    ],
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises((ImproperlyConfigured, EnvValidationError), match=name):
        cassandra.database(Env())


def test_connection_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CASSANDRA_CONTACT_POINTS": "10.0.0.1, 10.0.0.2",
        "CASSANDRA_PORT": "9142",
        "CASSANDRA_KEYSPACE": "digits",
        "CASSANDRA_DATACENTER": "east",
        "CASSANDRA_USERNAME": "ada",
        "CASSANDRA_PASSWORD": "secret",
        "CASSANDRA_REQUEST_TIMEOUT": "2.5",
        "CASSANDRA_CONNECT_TIMEOUT": "1",
        "CASSANDRA_CA_FILE": certifi.where(),
        "CASSANDRA_CHECK_HOSTNAME": "on",
    }.items():
        monkeypatch.setenv(name, value)
    database = cassandra.database(Env())
    assert (database["HOST"], database["NAME"]) == ("10.0.0.1,10.0.0.2", "digits")
    assert (database["USER"], database["PASSWORD"]) == ("ada", "secret")
    assert database["OPTIONS"]["replication"]["east"] == 3
    connection = database["OPTIONS"]["connection"]
    (profile,) = connection["execution_profiles"].values()
    assert (connection["port"], connection["connect_timeout"]) == (9142, 1)
    assert profile.request_timeout == 2.5
    assert connection["ssl_context"].check_hostname is True


@pytest.mark.parametrize(
    ("points", "copies"), [("127.0.0.1", 1), ("localhost,127.0.0.2", 1), ("10.0.0.1", 3)]
)
def test_a_cluster_on_other_machines_keeps_three_copies(
    monkeypatch: pytest.MonkeyPatch, points: str, copies: int
) -> None:
    monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", points)
    assert cassandra.replication(Env()) == {"datacenter1": copies}
