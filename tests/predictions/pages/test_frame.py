"""What every page has in common, and the pages for what went wrong."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.urls import URLResolver, get_resolver
from knox.models import AuthToken

from predictions import services
from predictions.access.models import AuditEntry
from predictions.core.records import Source, Status
from predictions.recognition.uploads import Upload
from predictions.review import queue
from predictions.review.corrections import Verdict
from predictions.stores import get_store
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.pages import pages_missing_from
from tests.support.records import NOON, make_picture, make_record

pytestmark = pytest.mark.django_db
OWN_TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))
OWN_SHEETS = sorted(Path(settings.BASE_DIR, "predictions", "static").rglob("*.css"))
OWN_MODULES = sorted(Path(settings.BASE_DIR, "predictions", "static").rglob("*.js"))
# Names of people's things, units and methods, the same in every language.
OF_NO_LANGUAGE = {"JSON", "ms", "GET", "POST", "DELETE", "OPTIONS", "HTTP"}
MOST_QUERIES = 12
PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@pytest.fixture
def paths(keep: Keep) -> list[str]:
    """Every page there is."""
    record = keep("7")
    paths = [
        "/",
        f"/?prediction={record.id}",
        "/uploads/",
        f"/uploads/{record.upload}/",
        "/predictions/",
        "/statistics/",
        f"/predictions/{record.id}/",
        f"/predictions/{record.id}/how",
        f"/predictions/{record.id}/delete",
        "/review/",
        "/models/",
        "/models/0/",
        "/accounts/tokens/",
        "/api/v1/",
        "/api/v1/predictions",
        "/upload",
        "/predict",
        "/accounts/login/",
        "/api/docs/",
        "/nothing",
    ]
    assert pages_missing_from(paths) == set()
    return paths


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
    for path in paths:
        page = browser.get(path)
        text = page.content.decode()
        assert "<style" not in text, path
        assert not re.search(r"\s(style|on\w+)=", text), path
        for script in find(page, "script"):
            inert = script.attributes.get("type") == "application/json"
            assert inert or "src" in script.attributes, path
        assert "unsafe" not in page["Content-Security-Policy"], path


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """Yield every route of the site, with its places still in it."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif "?P<url>" not in route:  # the admin's own 404
            yield route.replace("^", "").replace("$", "")


def fill(values: dict[str, Any], place: re.Match[str]) -> str:
    return str(values[place[1] or place[2]])


def test_no_page_makes_many_queries(
    browser: Client,
    olga: User,
    keep: Keep,
    png: Callable[..., bytes],
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    """Of all there are: a route with a place that is unknown here fails."""
    root = User.objects.create_superuser("root")
    olga.groups.add(Group.objects.get(name="operator"))
    records = [keep("7", status=Status.NEEDS_REVIEW, created_by=olga.username) for _ in range(5)]
    records[:0] = services.predict(Upload(png("7"), "7.png"), source=Source.PAGE, user=olga)
    queue.enqueue(records)
    for record in records[:2]:
        services.correct(record, verdict=Verdict.TEXT, text="1", by=olga)
    first = make_record("7")
    pages = [
        replace(first, upload=first.id),
        *(make_record("7", upload=first.id, page=page) for page in (1, 2)),
    ]
    get_store().add_upload([(page, make_picture(page)) for page in pages])
    token, _ = AuthToken.objects.create(olga)
    objects = {
        "auth/group": olga.groups.get().pk,
        "auth/user": olga.pk,
        "predictions/auditentry": AuditEntry.objects.latest("pk").pk,
        "knox/authtoken": token.pk,
        "predictions/modelversion": 0,
        "predictions/prediction": first.id,
    }
    places = {
        "prediction_id": records[0].id,
        "group_id": first.id,
        "position": 0,
        "number": 0,
        "path": "predictions",
        "model": "digits",
        "version": "0",
        "token_key": token.token_key,
        "content_type_id": ContentType.objects.get_for_model(User).pk,
        "id": olga.pk,
        "app_label": "predictions",
    }
    addresses = {
        "/?prediction=" + str(first.id),
        "/?upload=" + str(first.id),
        "/predictions/?view=grid",
        "/predictions/?digit=7&status=needs_review",
        "/predictions/?corrected=true&source=page",
        "/predictions/?corrected=false",
        "/predictions/?limit=2",
        "/statistics/?since=2026-03-01&until=2026-03-02",
        "/nothing",
    }
    for route in routes(get_resolver().url_patterns):
        values = places | {
            "object_id": next((pk for name, pk in objects.items() if name in route), olga.pk)
        }
        addresses.add("/" + PLACE.sub(partial(fill, values), route))
    assert len(addresses) > 100
    shown = set()
    for address in sorted(addresses):
        browser.force_login(root if address.startswith("/admin/") else olga)
        with django_assert_max_num_queries(MOST_QUERIES, info=address):
            response = browser.get(address)
            if response.streaming:
                b"".join(response)
        assert response.status_code < 500, address
        if response.status_code == 200:
            shown.add(address)
    # What takes only POST, says where to go, or is not there for a GET; and else every page.
    assert len(shown) > 75


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, 2**63, 10**20, None])
def test_no_number_in_an_address_is_an_error(
    browser: Client, keep: Keep, number: int | None
) -> None:
    digits = "9" * 5000 if number is None else str(number)  # Python reads 4300
    browser.force_login(User.objects.create_superuser("root"))
    prediction_id = str(keep("7").id)
    numbered = [
        PLACE.sub(lambda place: prediction_id if "uuid" in place[0] else digits, route)
        for route in routes(get_resolver().url_patterns)
        if "number>" in route or "<int:" in route or "object_id" in route
    ]
    assert len(numbered) > 40
    for address in numbered:
        for method in ("GET", "POST", "DELETE"):
            answer = browser.generic(method, f"/{address}")
            assert answer.status_code < 500, (method, address[:80])


def test_what_people_see_is_kept_by_no_cache(
    browser: Client, paths: list[str], olga: User, png: Callable[..., bytes]
) -> None:
    answers = {path: browser.get(path) for path in paths}
    browser.force_login(olga)
    answers |= {f"{path} signed in": browser.get(path) for path in [*paths, "/review/", "/admin/"]}
    picture = SimpleUploadedFile("seven.png", png("7"))
    answers["upload"] = Client().post("/api/v1/predictions", {"file": picture})
    answers["export"] = browser.get("/api/v1/predictions/export?format=jsonl")
    answers["favicon"] = browser.get("/favicon.ico")
    for path, answer in answers.items():
        directives = {part.strip() for part in answer["Cache-Control"].split(",")}
        assert {"private", "no-store"} <= directives, path
        assert "ETag" not in answer, path


def test_digits_are_of_one_width_in_a_face_of_every_system() -> None:
    sheets = {path: path.read_text() for path in OWN_SHEETS}
    (faces,) = re.findall(r"--numerals: ([^;]*);", "".join(sheets.values()))
    # Apple's, Windows', Android's, Linux' desktops', and whatever there is.
    for face in ("ui-rounded", "Segoe UI", "Roboto", "Ubuntu", "Noto Sans", "sans-serif"):
        assert face in faces
    for path, sheet in sheets.items():
        for rule in re.findall(r"[^{}]*{[^{}]*var\(--numerals\)[^{}]*}", sheet):
            assert "tabular-nums" in rule, (path.name, rule)


def test_browsers_find_the_icon_by_habit(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/predictions/favicon.svg"


def test_an_unknown_address_is_said_in_words(browser: Client) -> None:
    page = browser.get("/nothing")
    assert page.status_code == 404
    assert text_of(page, "h1") == "Not found"
    assert alerts(page) == ["There is nothing at this URL."]
    assert find(page, "a", href="/")


def test_an_unknown_address_has_the_account_menu(browser: Client, olga: User) -> None:
    browser.force_login(olga)
    assert find(browser.get("/nothing"), "form", action="/accounts/logout/")


def test_numbers_as_text_can_be_chosen_wherever_files_are(browser: Client) -> None:
    for path in ("/", "/uploads/"):
        accepted = [
            e.attributes.get("accept", "") for e in find(browser.get(path), "input", type="file")
        ]
        assert any(".csv" in accept.split(",") for accept in accepted), path


def test_the_admin_says_where_the_shipped_version_is(browser: Client, operator: User) -> None:
    operator.is_staff = operator.is_superuser = True
    operator.save()
    browser.force_login(operator)
    page = browser.get("/admin/predictions/modelversion/")
    assert "version 0, is on the models page" in text_of(page, "h1")


def test_dates_have_one_format(browser: Client, keep: Keep, olga: User) -> None:
    record = keep("7", at=NOON)
    olga.is_staff = True
    olga.save()
    browser.force_login(olga)
    said = "Mar 1, 2026, 12:00 PM"
    for path in (
        "/predictions/",
        f"/predictions/{record.id}/",
        f"/predictions/{record.id}/delete",
        "/admin/predictions/prediction/",
    ):
        assert said in text_of(browser.get(path), "html"), path


def test_a_fault_is_said_without_anything_that_may_be_its_cause(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    with django_assert_num_queries(0):
        page = render_to_string("500.html")
    assert "The error is on our side" in page
    assert "/static/predictions/site.css" in page


def without_template_syntax(template: Path) -> str:
    """What would be said untranslated: all but what tags and variables put there."""
    text = template.read_text()
    for block in ("blocktranslate", "block bodyclass"):
        end = f"end{block.split()[0]}"
        text = re.sub(rf"{{%\s*{block}.*?{{%\s*{end}.*?%}}", "", text, flags=re.DOTALL)
    for syntax in ("{#.*?#}", "{%.*?%}", "{{.*?}}"):
        text = re.sub(syntax, " ", text, flags=re.DOTALL)
    return text


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", text)) - OF_NO_LANGUAGE


@pytest.mark.parametrize("template", OWN_TEMPLATES, ids=lambda path: path.name)
def test_every_visible_word_is_marked_for_translation(template: Path) -> None:
    text = without_template_syntax(template)
    assert words(re.sub(r"<[^>]*>|&\w+;", " ", text)) == set()
    read_out = re.findall(r'\s(?:aria-label|alt|title|placeholder)="([^"]*)"', text)
    assert words(" ".join(read_out)) == set()


@pytest.mark.parametrize("module", OWN_MODULES, ids=lambda path: path.name)
def test_modules_say_only_what_templates_marked_for_translation(module: Path) -> None:
    """Words come from `data-…` attributes: none is written into a property that is shown."""
    shown = r"\b(?:textContent|innerText|innerHTML|title|alt|placeholder|ariaLabel)\s*[|?]*=\s*"
    said = rf"(?:{shown}|setAttribute\(.aria-label.,\s*|alert\(|confirm\()"
    assert not re.findall(rf"{said}[\"'`][^\"'`]*\w", module.read_text())
