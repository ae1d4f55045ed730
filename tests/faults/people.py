"""People with sessions: they look at pages, sign in, and correct what was read."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from http.cookiejar import CookieJar
from threading import Event, Lock, Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

PASSWORD = "correct horse battery"
PAUSE_S = 0.3
TIMEOUT_S = 30
PRIVATE = "/accounts/tokens/"  # redirects whoever is not signed in
SIGN_IN = "/accounts/login/"


class Unfollowed(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    """What a person got; status is None if there was no response."""

    person: str
    request: str
    status: int | None
    headers: HTTPMessage | dict[str, str]
    content: bytes


class Person:
    """A browser with cookies that follows no redirect."""

    def __init__(self, url: str, name: str, answers: list[Answer]) -> None:
        self.url = url
        self.name = name
        self.cookies = CookieJar()
        self._answers = answers
        self._opener = build_opener(HTTPCookieProcessor(self.cookies), Unfollowed)

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {"Accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is not None:
            named["X-CSRFToken"] = self.cookie("csrftoken")
        try:
            request = Request(self.url + path, body, named)  # noqa: S310
            response = self._opener.open(request, timeout=TIMEOUT_S)
        except HTTPError as error:
            response = error
        except (URLError, ConnectionError, HTTPException, TimeoutError):
            response = None
        shown = f"{'GET' if body is None else 'POST'} {path}"
        if response is None:
            answer = Answer(self.name, shown, None, {}, b"")
        else:
            with response:
                content = response.read()
            answer = Answer(self.name, shown, response.status, response.headers, content)
        self._answers.append(answer)
        return answer

    def cookie(self, name: str) -> str:
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == name), "")

    def sign_in(self) -> Answer:
        page = self.ask(SIGN_IN)
        if page.status != 200:
            return page
        form = urlencode({"username": self.name, "password": PASSWORD}).encode()
        return self.ask(SIGN_IN, form)

    def correct(self, prediction_id: str, text: str) -> Answer:
        path = f"/api/v1/predictions/{prediction_id}/corrections"
        body = json.dumps({"text": text}).encode()
        return self.ask(path, body, Content_Type="application/json", Accept="application/json")


@dataclass
class People:
    """Some who stay signed in and correct, and one who signs in again and again.

    A context manager, as `Load` is.

    Parameters
    ----------
    url
        The site's.
    predictions
        Returns the ids of the predictions so far.
    """

    url: str
    predictions: Callable[[], list[str]]
    answers: list[Answer] = field(default_factory=list)
    # By prediction, what was acknowledged last.
    corrections: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signed_in = [Person(self.url, name, self.answers) for name in ("ada", "grace")]
        for person in self.signed_in:
            assert person.sign_in().status == 302
        self.sessions = [person.cookie("sessionid") for person in self.signed_in]
        self._number = 0
        self._lock = Lock()

    def __enter__(self) -> "People":
        self._enough = Event()
        work = [lambda person=person: self._work(person) for person in self.signed_in]
        self._threads = [Thread(target=each) for each in [*work, self._come_and_go]]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def figures(self) -> str:
        counted = Counter(
            f"{answer.request.partition('/api')[0]} {answer.status}" for answer in self.answers
        )
        shown = ", ".join(f"{count} × {name}" for name, count in sorted(counted.items()))
        return f"people: {shown}; {len(self.corrections)} corrections"

    def _work(self, person: Person) -> None:
        while not self._enough.wait(PAUSE_S):
            person.ask(PRIVATE)
            with self._lock:
                ids, number = self.predictions(), self._number
                self._number += 1
            if number < len(ids) and person.correct(ids[number], str(number)).status == 201:
                self.corrections[ids[number]] = str(number)

    def _come_and_go(self) -> None:
        while not self._enough.wait(5 * PAUSE_S):
            newcomer = Person(self.url, "hedy", self.answers)
            if newcomer.sign_in().status == 302:
                newcomer.ask(PRIVATE)
