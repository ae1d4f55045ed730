"""Parameters of headers, such as the file name of a Content-Disposition."""

import re

from werkzeug.http import parse_options_header

# What is quoted, or a parameter whose charset is none of the two that RFC 8187 names.
_QUOTED_OR_OTHER = re.compile(
    r"""
    ("(?:[^"\\]|\\.)*(?:"|\\?\Z))
    | ;[^;="]*\*=(?!(?:utf-8|iso-8859-1)'[^']*')[^;']*'[^;]*
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)


def parameters_of(header: str) -> dict[str, str]:
    """Return the parameters of a header by name, in lower case; what cannot be read is left out.

    Django's parser decodes by every codec that Python has, and some raise what they like.
    """
    return parse_options_header(_QUOTED_OR_OTHER.sub(r"\1", header))[1]
