"""How programs do what a page does, to be copied from it."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from predictions.core.records import PredictionRecord

READ = 'curl {header}-F file=@{file} "{url}"\n'
GET = 'curl {header}"{url}"\n'
CORRECT = """\
curl {header}-H "Content-Type: application/json" \\
  -d '{body}' "{url}"
"""
HEADER = '-H "Authorization: Token $TOKEN" '
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
PICTURE = "picture.png"  # of which only the uploader knows the name, or which was drawn
PLAIN_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)  # the same in any shell


class Program(NamedTuple):
    does: str
    language: str
    code: str


def program_that_reads(request: HttpRequest) -> str:
    """Return a command line that has a picture read with one's token."""
    url = request.build_absolute_uri(reverse("api:predictions"))
    return READ.format(url=url, header=HEADER.replace("$TOKEN", "…"), file=PICTURE)


def programs(
    request: HttpRequest, record: PredictionRecord, *, may_review: bool
) -> Iterator[Program]:
    """Yield the programs that make a reading, get it and correct it.

    Where a token is needed, they take $TOKEN.
    """

    def url(name: str, *args: object) -> str:
        return request.build_absolute_uri(reverse(f"api:{name}", args=args))

    needs_token = not settings.ANONYMOUS_READING
    header = HEADER if needs_token else ""
    file = record.file_name if PLAIN_FILE_NAME.fullmatch(record.file_name) else PICTURE
    code = READ.format(url=url("predictions"), header=header, file=file)
    yield Program(_("Read a picture"), "curl", code)
    this = url("prediction", record.id)
    yield Program(_("Get this reading"), "curl", GET.format(url=this, header=header))
    python = PYTHON.format(
        url=this,
        imports="import os\n\n" if needs_token else "",
        header=PYTHON_HEADER if needs_token else "",
    )
    yield Program(_("Get this reading"), "Python", python)
    if may_review:
        body = json.dumps({"text": record.text or "7"})
        code = CORRECT.format(url=url("corrections", record.id), header=HEADER, body=body)
        yield Program(_("Correct this reading"), "curl", code)
