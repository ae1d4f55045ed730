"""Signed cursors: a page's address says behind which prediction it begins, and nobody forges it."""

from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _

from predictions.core.errors import BadQuery

_signer = Signer(salt="predictions.cursor")


def sign_cursor(prediction_id: UUID) -> str:
    return _signer.sign(prediction_id.hex)


def read_cursor(text: str) -> UUID:
    try:
        return UUID(hex=_signer.unsign(text))
    except (BadSignature, ValueError) as error:
        raise BadQuery(
            _("This cursor is not one of ours. Start again without “cursor”.")
        ) from error
