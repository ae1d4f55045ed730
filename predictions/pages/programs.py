"""How programs get a reading, to be copied from its page."""

from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from predictions.core.records import PredictionRecord

CURL = """\
curl {header}"{url}"
"""
CURL_HEADER = '-H "Authorization: Token $TOKEN" '
PYTHON = """\
{imports}import requests

answer = requests.get(
    "{url}",{header}
    timeout=10,
)
answer.raise_for_status()
reading = answer.json()
print(reading["text"], reading["confidence"])
"""
PYTHON_HEADER = """
    headers={"Authorization": f"Token {os.environ['TOKEN']}"},"""


READ_A_PICTURE = 'curl -H "Authorization: Token …" -F file=@picture.png {url}'


class Program(NamedTuple):
    name: str
    copy_label: str
    code: str


def program_that_reads(request: HttpRequest) -> str:
    """Return a command line that has a picture read with one's token."""
    return READ_A_PICTURE.format(url=request.build_absolute_uri(reverse("api:predictions")))


def programs(request: HttpRequest, record: PredictionRecord) -> Iterator[Program]:
    """Yield the programs that get a reading; where a token is needed, they take $TOKEN."""
    url = request.build_absolute_uri(reverse("api:prediction", args=[record.id]))
    token = not settings.ANONYMOUS_READING
    curl = CURL.format(url=url, header=CURL_HEADER if token else "")
    python = PYTHON.format(
        url=url,
        imports="import os\n\n" if token else "",
        header=PYTHON_HEADER if token else "",
    )
    for name, code in (("curl", curl), ("Python", python)):
        yield Program(name, _("Copy the %(language)s program") % {"language": name}, code)
