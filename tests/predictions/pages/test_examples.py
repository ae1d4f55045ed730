"""The examples of the first page: what they show, that they are read, and what is kept of them."""

import io
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.staticfiles import finders
from django.test import Client
from PIL import Image

from predictions.pages.examples import EXAMPLES, FOLDER, Example
from predictions.stores import get_store
from predictions.stores.sql.models import Prediction
from tests.support.html import alerts, find, text_of
from tools import make_examples

pytestmark = pytest.mark.django_db
MAX_BYTES = 15_000


def each_example() -> Callable[..., None]:
    return pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@each_example()
def test_reads_what_stands_in_the_example(browser: Client, example: Example) -> None:
    response = browser.post("/", {"example": example.name})
    row = Prediction.objects.get()
    assert response["Location"] == f"/?prediction={row.id}#answer"
    record = get_store().get(row.id)
    assert record is not None
    text, _draw = make_examples.EXAMPLES[example.name]
    # Spaces between the columns of a table are not what is tried here.
    assert record.marked_text.replace(" ", "") == text.replace(" ", "")
    assert (record.file_name, record.created_by) == (example.file_name, None)


@each_example()
def test_an_example_is_small_and_can_be_made_again(example: Example) -> None:
    content = (FOLDER / example.file_name).read_bytes()
    assert len(content) < MAX_BYTES
    assert finders.find(f"predictions/examples/{example.file_name}")
    text, draw = make_examples.EXAMPLES[example.name]
    made = io.BytesIO()
    make_examples.save(draw(text), made)
    with Image.open(io.BytesIO(content)) as kept, Image.open(made) as again:
        assert kept.size == again.size == make_examples.SIZE
        difference = sum(abs(a - b) for a, b in zip(kept.tobytes(), again.tobytes(), strict=True))
    assert difference / (kept.width * kept.height) < 3  # of 765: an encoder may round otherwise


def test_the_first_page_offers_each_by_a_button(client: Client) -> None:
    buttons = find(client.get("/"), "button", name="example")
    assert [button.attributes["value"] for button in buttons] == list(make_examples.EXAMPLES)
    assert len(buttons) == 8
    assert all(button.text and button.attributes["type"] == "submit" for button in buttons)


@pytest.mark.parametrize(
    ("address", "next_step"),
    [
        ("/predictions/", "Read the first picture"),
        ("/predictions/?number=999", "Take a filter away"),
        ("/statistics/", "Choose a longer one"),
        ("/review/", "Read more pictures"),
        ("/models/", "train --corrections"),
    ],
)
def test_where_there_is_nothing_the_examples_lead_on(
    browser: Client, olga: User, address: str, next_step: str
) -> None:
    olga.groups.add(Group.objects.get(name="reviewer"))
    browser.force_login(olga)
    page = browser.get(address)
    assert next_step in text_of(page, "main")
    assert len(find(page, "button", name="example")) == 8


def test_all_examples_are_tried_as_a_batch(browser: Client) -> None:
    (button,) = find(browser.get("/uploads/"), "button", name="examples")
    page = browser.post("/uploads/", {"examples": button.attributes["value"]}, follow=True)
    assert [row.text.split()[0] for row in find(page, "tr")[1:]] == [*"12345678"]
    assert "248.50" in text_of(page, "main")


def test_without_tokens_one_sees_what_they_are_for(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.get("/accounts/tokens/")
    assert "http://testserver/api/v1/predictions" in text_of(page, "pre")


def test_an_example_is_kept_once_per_account(browser: Client, ada: User) -> None:
    first = browser.post("/", {"example": "digit"})["Location"]
    assert browser.post("/", {"example": "digit"})["Location"] == first
    assert Prediction.objects.count() == 1
    browser.force_login(ada)
    own = browser.post("/", {"example": "digit"})["Location"]
    assert own != first
    assert list(Prediction.objects.order_by("id").values_list("created_by", flat=True)) == [
        None,
        "ada",
    ]
    assert text_of(browser.get(own), "output") == "7"


def test_an_example_whose_prediction_was_deleted_is_read_anew(browser: Client) -> None:
    browser.post("/", {"example": "digit"})
    get_store().delete(Prediction.objects.get().id)
    again = browser.post("/", {"example": "digit"}, follow=True)
    assert text_of(again, "output") == "7"
    assert Prediction.objects.count() == 1


def test_says_that_there_is_no_such_example(browser: Client) -> None:
    response = browser.post("/", {"example": "../../settings"})
    assert response.status_code == 404
    assert alerts(response) == ["There is no such example."]
    assert not Prediction.objects.exists()
