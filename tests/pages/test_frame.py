"""What every page has in common, and the pages for what went wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client

from tests.pages.conftest import Keep
from tests.pages.html import alerts, find, text_of

pytestmark = pytest.mark.django_db
OWN_TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


@pytest.fixture
def paths(keep: Keep) -> list[str]:
    """Every page there is."""
    record = keep("7")
    return [
        "/",
        f"/?prediction={record.id}",
        "/predictions/",
        "/statistics/",
        f"/predictions/{record.id}/",
        f"/predictions/{record.id}/delete",
        "/upload",
        "/predict",
        "/accounts/login/",
        "/api/docs/",
        "/nothing",
    ]


def test_every_page_has_its_landmarks(browser: Client, paths: list[str], olga: User) -> None:
    browser.force_login(olga)
    titles = set()
    for path in paths:
        page = browser.get(path)
        assert find(page, "html", lang="en"), path
        assert len(find(page, "main", id="content")) == 1, path
        assert len(find(page, "h1")) == 1, path
        assert find(page, "a", class_="skip", href="#content"), path
        assert len(find(page, "header")) == len(find(page, "footer")) == 1, path
        ids = [e.attributes["id"] for e in find(page, "input") if "id" in e.attributes]
        assert len(ids) == len(set(ids)), path
        titles.add(text_of(page, "title"))
    assert len(titles) >= 6


def test_no_page_inlines_style_or_script(browser: Client, paths: list[str], olga: User) -> None:
    browser.force_login(olga)
    for path in [*paths, "/api/v1/", "/api/v1/predictions"]:
        page = browser.get(path)
        text = page.content.decode()
        assert "<style" not in text, path
        assert not re.search(r"\s(style|on\w+)=", text), path
        for script in find(page, "script"):
            inert = script.attributes.get("type") == "application/json"
            assert inert or "src" in script.attributes, path
        assert "unsafe" not in page["Content-Security-Policy"], path


def test_browsers_find_the_icon_by_habit(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/predictions/favicon.svg"


def test_an_unknown_address_is_said_in_words(browser: Client) -> None:
    page = browser.get("/nothing")
    assert page.status_code == 404
    assert text_of(page, "h1") == "Not found"
    assert alerts(page) == ["There is nothing at this address."]
    assert find(page, "a", href="/")


def test_a_fault_is_said_without_anything_that_may_be_its_cause(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    with django_assert_num_queries(0):
        page = render_to_string("500.html")
    assert "It was our fault" in page
    assert "/static/predictions/site.css" in page


@pytest.mark.parametrize("template", OWN_TEMPLATES, ids=lambda path: path.name)
def test_every_visible_word_is_marked_for_translation(template: Path) -> None:
    text = template.read_text()
    for block in ("blocktranslate", "block bodyclass"):
        end = f"end{block.split()[0]}"
        text = re.sub(rf"{{%\s*{block}.*?{{%\s*{end}.*?%}}", "", text, flags=re.DOTALL)
    for syntax in ("{#.*?#}", "{%.*?%}", "{{.*?}}", "<[^>]*>", r"&\w+;"):
        text = re.sub(syntax, " ", text, flags=re.DOTALL)
    assert set(re.findall(r"[^\W\d_]{2,}", text)) <= {"JSON", "ms"}
