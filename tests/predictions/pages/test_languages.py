"""The languages of the site: chosen by the browser or in the footer, and each of them whole."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from predictions import services
from predictions.access.models import AuditEntry
from predictions.core.records import Source, Status
from predictions.registry import versions
from predictions.registry.models import Activation, ModelVersion
from predictions.review import queue
from predictions.review.corrections import Verdict
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.networks import write_model
from tests.support.records import make_mark
from tests.support.words import bracketed, untranslated_words

__all__ = ["bracketed"]
pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
Png = Callable[..., bytes]

PAGES = [
    "/",
    "/?prediction={read}",
    "/?prediction={unread}",
    "/predictions/",
    "/predictions/?digit=9",
    "/predictions/?digit=7&status=needs_review&since=2026-01-01&source=api&corrected=true",
    "/predictions/?number=12345678901234567890",
    "/predictions/?since=2026-02-01&until=2026-01-01",
    "/predictions/?file_name=-",
    "/predictions/?model_version=-1",
    "/predictions/{read}/",
    "/predictions/{doubtful}/",
    "/predictions/{corrected}/",
    "/predictions/{unread}/",
    "/predictions/{file}/",
    "/predictions/{file}/how",
    "/predictions/{read}/delete",
    "/statistics/",
    "/statistics/?since=2026-02-01&until=2026-01-01",
    "/models/",
    "/models/0/",
    "/models/1/",
    "/models/2/",
    "/review/",
    "/uploads/",
    "/uploads/{batch}/",
    "/accounts/login/",
    "/accounts/login/?next=/review/",
    "/accounts/tokens/",
    "/accounts/password/",
    "/api/v1/",
    "/api/v1/predictions",
    "/api/docs/",
    "/upload",
    "/predict",
    "/nothing",
]
# Of forms, in this order: each answer is a page of its own, or says what was done.
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("/", {}),
    ("/", {"file": "empty"}),
    ("/", {"file": "words"}),
    ("/uploads/", {}),
    ("/predictions/{corrected}/correct", {"verdict": "text", "text": "x"}),
    ("/predictions/{corrected}/correct", {"verdict": "text", "text": "3"}),
    ("/predictions/{corrected}/undo", {}),
    ("/predictions/{corrected}/undo", {}),
    ("/predictions/{corrected}/undo", {}),
    ("/review/{doubtful}", {"action": "skip"}),
    ("/review/{doubtful}", {"verdict": "not_a_digit"}),
    ("/predictions/{doubtful}/undo", {"review": "1"}),
    ("/predictions/selected", {"selected": "{read}", "action": "delete"}),
    ("/predictions/selected", {"action": "delete"}),
    ("/predictions/selected?digit=8", {"action": "delete"}),
    ("/predictions/{read}/delete", {}),
    ("/models/1/activate", {}),
    ("/models/2/activate", {}),
    ("/models/2/activate", {"force": "on"}),
    ("/models/1/delete", {}),
    ("/models/import", {}),
    ("/models/import", {"archive": "words"}),
    ("/accounts/tokens/", {"days": "0"}),
    ("/accounts/tokens/", {"days": "30", "name": "1"}),
    (
        "/accounts/password/",
        {"old_password": "1", "new_password1": "1", "new_password2": "2"},
    ),
    (
        "/accounts/password/",
        {"old_password": "correct horse", "new_password1": "olga", "new_password2": "olga"},
    ),
    ("/accounts/login/", {"username": "1", "password": "1"}),
]
ADMIN = [
    "/admin/",
    "/admin/predictions/",
    "/admin/predictions/prediction/",
    "/admin/predictions/prediction/?id=1",
    "/admin/predictions/prediction/?digit=7&status=read",
    "/admin/predictions/prediction/{doubtful}/change/",
    "/admin/predictions/prediction/{doubtful}/delete/",
    "/admin/predictions/modelversion/",
    "/admin/predictions/modelversion/1/change/",
    "/admin/predictions/modelversion/add/",
    "/admin/predictions/auditentry/",
    "/admin/predictions/auditentry/{entry}/change/",
    "/admin/knox/authtoken/",
    "/admin/knox/authtoken/add/",
]
# What is not ours to translate: names of accounts, files, an architecture and a language.
KNOWN = {"Deutsch", "olga", "ada", "seven", "compact"}
# Names that the API's own pages have in their titles, and that Django's admin says in English only.
KNOWN_OF_API = KNOWN | {"Handwritten", "digits", "Predictions"}
KNOWN_OF_ADMIN = KNOWN | {"Search", "True", "False", "Sha", "sha", "same", "added"}
KNOWN_OF_ADMIN |= {"model", "version"}  # as the audit log keeps them


@pytest.fixture
def ids(
    browser: Client, keep: Keep, olga: User, png: Png, decimal: bytes, tmp_path: Path
) -> dict[str, Any]:
    """One of each kind of thing that pages show."""
    doubtful = keep("7", status=Status.NEEDS_REVIEW, confidence=0.5)
    queue.enqueue([doubtful])
    corrected = keep("1")
    services.correct(corrected, verdict=Verdict.TEXT, text="2", by=olga)
    versions.add(write_model(tmp_path / "good"), by="ada")
    versions.add(write_model(tmp_path / "bad", wrong=10), by="ada")
    Activation.objects.create(number=1, replaced=0, by="ada", forced=True, reason="1")
    ModelVersion.objects.filter(number=1).update(active=True)
    files = [SimpleUploadedFile("1.png", png("7")), SimpleUploadedFile("2.png", decimal)]
    table = browser.post("/uploads/", {"file": files})["Location"]
    (row,) = (a for a in find(browser.get(table), "a") if a.text == "2.48")
    return {
        "read": keep("77\n1", marks=(make_mark(".", after=0),), source=Source.CANVAS).id,
        "doubtful": doubtful.id,
        "corrected": corrected.id,
        "unread": keep("").id,
        "batch": table.split("/")[-2],
        "file": row.attributes["href"].split("/")[-2],
        "entry": AuditEntry.objects.first().pk,  # type: ignore[union-attr]
    }


def become_operator(browser: Client, olga: User) -> None:
    olga.is_superuser = olga.is_staff = True
    olga.save()
    browser.force_login(olga)


def words_of(form: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    files = {"empty": b"", "words": b"just some words"}
    return {
        name: SimpleUploadedFile("1.png", files[value]) if value in files else value.format(**ids)
        for name, value in form.items()
    }


def test_follows_the_browser_and_says_so(browser: Client) -> None:
    english, german, spanish, other = (
        browser.get("/", headers={"Accept-Language": language})
        for language in ("", "de-AT,de;q=0.9,en;q=0.5", "es", "xx")
    )
    assert [page["Content-Language"] for page in (english, german, spanish, other)] == [
        "en",
        "de",
        "es",
        "en",
    ]
    assert text_of(german, "h1") == "Handgeschriebene Ziffern lesen"
    assert text_of(spanish, "h1") == "Leer dígitos manuscritos"
    for page, language in ((english, "en"), (german, "de"), (spanish, "es")):
        assert find(page, "html", lang=language)
        assert {"Accept-Language", "Cookie"} <= set(re.split(", ?", page["Vary"]))
        (chosen,) = find(page, "button", **{"aria-current": "true"})
        assert chosen.attributes["value"] == chosen.attributes["lang"] == language


def test_is_chosen_in_the_footer_and_remembered() -> None:
    """As without JavaScript: the form is sent as it is in the page."""
    browser = Client(headers={"Accept": "text/html"}, enforce_csrf_checks=True)
    page = browser.get("/predictions/?digit=7")
    (form,) = find(page, "form", class_="languages")
    buttons = {button.text: button.attributes for button in find(page, "button", name="language")}
    assert {found["lang"]: name for name, found in buttons.items()} == dict(settings.LANGUAGES)
    sent = {"language": buttons["Deutsch"]["value"]}
    assert browser.post(form.attributes["action"], sent).status_code == 403
    assert text_of(browser.get("/predictions/"), "h1") == "History"
    token = find(page, "input", name="csrfmiddlewaretoken")[0].attributes["value"]
    answer = browser.post(form.attributes["action"], {**sent, "csrfmiddlewaretoken": token})
    assert (answer.status_code, answer["Location"]) == (302, "/predictions/?digit=7")
    cookie = answer.cookies["django_language"]
    assert (cookie["max-age"], cookie["samesite"], cookie["httponly"]) == (31_536_000, "Lax", True)
    assert text_of(browser.get("/predictions/"), "h1") == "Verlauf"
    spanish = {"Accept-Language": "es"}  # what was chosen counts more
    assert browser.get("/api/v1/predictions?digit=x", headers=spanish)["Content-Language"] == "de"


def test_leads_to_no_other_site(browser: Client) -> None:
    answer = browser.post("/language?next=//example.org/", {"language": "de"})
    assert answer["Location"] == "/"


def test_an_error_is_said_in_the_language_of_its_request_only(browser: Client) -> None:
    german = browser.get("/nothing", headers=GERMAN)
    assert alerts(german) == ["Unter dieser Adresse gibt es nichts."]
    # Refused before its language is known, by the thread that answered in German.
    refused = browser.get("/", headers={"Host": "elsewhere.example"})
    assert refused.status_code == 400
    assert alerts(refused) == ["The request is malformed. Go back and try again."]
    with translation.override("es"):
        page = render_to_string("500.html")
    assert '<html lang="es">' in page
    assert "Algo ha ido mal" in page


def test_what_is_kept_is_of_no_language(browser: Client, keep: Keep, olga: User) -> None:
    become_operator(browser, olga)
    record = keep("7")
    sent = {"verdict": "not_a_digit"}
    browser.post(f"/predictions/{record.id}/correct", sent, headers=GERMAN)
    browser.post(f"/predictions/{record.id}/delete", headers=GERMAN)
    entries = AuditEntry.objects.values_list("action", flat=True)
    assert set(entries) >= {"corrected", "deleted"}
    page = browser.get("/admin/predictions/auditentry/", headers=GERMAN)
    assert [cell.text for cell in find(page, "td", class_="field-action_label")][:2] == [
        "gelöscht",
        "korrigiert",
    ]


# Of what scripts and drawings read, and forms send back.
FOR_MACHINES = re.compile(
    "viewbox|d|points|x|y|width|height|cx|cy|r|x1|x2|y1|y2|transform|font-size|colspan|href|src|"
    "srcset|action|name|value|min|max|step|pattern|datetime|class|id|"
    "data-(bars|max-bytes|doubt-below|position|number|chosen|crop)"
)


OF_NUMBERS = ("/?", "/predictions/", "/statistics/", "/models/", "/review/", "/uploads/{")


def for_machines(page: Any) -> list[tuple[str, str, str]]:
    parser = PageParser()
    parser.feed(re.sub(rb"<input[^>]*csrfmiddlewaretoken[^>]*>", b"", page.content).decode())
    return parser.found


class PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if FOR_MACHINES.fullmatch(name):
                self.found.append((tag, name, value or ""))


def test_numbers_for_machines_are_the_same_in_every_language(
    browser: Client, ids: dict[str, Any], olga: User
) -> None:
    become_operator(browser, olga)
    for address in PAGES:
        if not address.startswith(OF_NUMBERS):
            continue
        english, german = (
            for_machines(browser.get(address.format(**ids), headers={"Accept-Language": code}))
            for code in ("en", "de")
        )
        assert english == german, address
    shown = browser.get(f"/predictions/{ids['doubtful']}/", headers=GERMAN).content.decode()
    assert "50,0\N{NO-BREAK SPACE}%" in shown


def test_no_page_has_a_word_that_is_not_translated(
    bracketed: None, browser: Client, ids: dict[str, Any], olga: User
) -> None:
    left: dict[str, set[str]] = {}

    def look(address: str, page: Any, known: set[str]) -> None:
        assert page.status_code < 500, address
        if page["Content-Type"].startswith("text/html"):
            left[f"{len(left)}: {address}"] = untranslated_words(page, "de", known)

    for signed_in in (False, True):
        if signed_in:
            become_operator(browser, olga)
        for address in PAGES:
            page = browser.get(address.format(**ids), headers=GERMAN, follow=True)
            look(address, page, KNOWN_OF_API if "/api/v1" in address else KNOWN)
    for address in ADMIN:
        look(address, browser.get(address.format(**ids), headers=GERMAN), KNOWN_OF_ADMIN)
    for address, form in FORMS:
        page = browser.post(address.format(**ids), words_of(form, ids), headers=GERMAN, follow=True)
        look(f"{address} {form}", page, KNOWN)
    assert {address: words for address, words in left.items() if words} == {}
