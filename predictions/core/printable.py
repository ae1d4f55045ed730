"""Words from outside, such as names of files, as a terminal or a line of a log can show them."""

import unicodedata

JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # of names in Persian, and of emoji


def printable(text: str, *, kept: str = "") -> str:
    """Escape what a terminal would obey, what turns a line around, and what ends one.

    Parameters
    ----------
    text
        Any text.
    kept
        Characters to leave as they are.
    """
    if text.isprintable():
        return text
    kept += JOINERS
    return "".join(
        char
        if char.isprintable() or char in kept or unicodedata.category(char) == "Zs"
        else char.encode("unicode_escape").decode()
        for char in text
    )
