"""The examples: pictures to try the site with (`tools/make_examples.py`)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from predictions import services
from predictions.core.errors import PredictionsError
from predictions.core.records import PredictionRecord, Source
from predictions.recognition.active_reader import get_reader
from predictions.recognition.uploads import Upload
from predictions.services.idempotency import KeyConflict

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

FOLDER = Path(__file__).resolve().parent.parent / "static" / "predictions" / "examples"


@dataclass(frozen=True)
class Example:
    """A picture that ships with the site."""

    name: str
    label: Promise

    @property
    def file_name(self) -> str:
        return f"{self.name}.webp"


# In the order of the pictures in thumbnails.webp.
EXAMPLES = (
    Example("digit", _("A digit")),
    Example("number", _("A number")),
    Example("page", _("A page")),
    Example("squares", _("Squared paper")),
    Example("amount", _("An amount")),
    Example("date", _("A date")),
    Example("table", _("A table")),
    Example("scribble", _("A scribble")),
)


def example_uploads() -> list[Upload]:
    """Return all examples, to be read as a batch."""
    batch_id = uuid4()
    return [
        replace(_upload(example), batch_id=batch_id, position=position)
        for position, example in enumerate(EXAMPLES)
    ]


def read_example(name: str, user: "User | AnonymousUser") -> list[PredictionRecord]:
    """Read an example, and keep its prediction once per user, model version and day.

    Raises
    ------
    PredictionsError
        If there is no such example, or its prediction cannot be kept.
    """
    example = next((example for example in EXAMPLES if example.name == name), None)
    if example is None:
        raise PredictionsError("not_found", str(_("There is no such example.")), status=404)
    upload = _upload(example)
    key = f"{name} {get_reader().classifier.version} {user.pk}"
    try:
        records, _made = services.predict_once(
            upload, owner="examples", key=key, source=Source.PAGE, user=user
        )
    except KeyConflict:  # its prediction was deleted
        records = services.predict(upload, source=Source.PAGE, user=user)
    return records


def _upload(example: Example) -> Upload:
    return Upload((FOLDER / example.file_name).read_bytes(), example.file_name)
