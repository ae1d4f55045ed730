"""In what a client is answered, as its headers and its address say."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions"


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json", "application/*;q=0.8"])
def test_programs_get_json(client: Client, accept: str | None) -> None:
    response = client.get(URL, headers={} if accept is None else {"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"results": [], "next": None}


def test_browsers_get_a_page_to_look_at(client: Client) -> None:
    response = client.get(URL, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response["Content-Type"].startswith("text/html")
    assert b"<form" in response.content


def test_an_address_can_name_the_format(client: Client) -> None:
    assert client.get(f"{URL}?format=api")["Content-Type"].startswith("text/html")
    assert client.get(f"{URL}?format=json")["Content-Type"] == "application/json"
    assert client.get(f"{URL}?format=xml").status_code == 404


def test_an_indent_is_kept(client: Client) -> None:
    response = client.get(URL, headers={"Accept": "application/json; indent=2"})
    assert response.content == b'{\n  "results": [],\n  "next": null\n}'


def test_what_nobody_can_write_is_refused(client: Client) -> None:
    response = client.get(URL, headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert response.json()["error"]["code"] == "not_acceptable"


@pytest.mark.parametrize(
    "accept",
    [
        """*/*; a=";b*=bogus''x\"""",
        """application/*; a=";b*=idna''xn--%ff\"""",
        "application/json; indent*=punycode''%ff",
        "application/json; indent=x, */*",
        "application/json; indent=99999999999999999999",
        "*/*; indent=²",
    ],
)
@pytest.mark.parametrize("url", [URL, "/api/v1/models", "/v2"])
def test_no_parameter_of_what_is_accepted_is_an_error(
    client: Client, accept: str, url: str
) -> None:
    response = client.get(url, headers={"Accept": accept})
    assert response.status_code in {200, 406}
    assert response["Content-Type"] == "application/json"
