"""No style sheet speaks of a class that nothing has."""

import re
from pathlib import Path

from django.conf import settings
from django.contrib.messages import DEFAULT_TAGS

ROOT = Path(settings.BASE_DIR)
STATIC = ROOT / "predictions" / "static" / "predictions"
OF_OTHERS = {"admin.css", "api-docs.css"}  # they style Django's admin and Swagger UI
CLASS_ATTRIBUTE = re.compile(r'class="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"', re.DOTALL)
TEXT = re.compile(r"[\"'`]([^\"'`\n]*)[\"'`]")
NOT_A_SELECTOR = re.compile(r'/\*.*?\*/|"[^"]*"', re.DOTALL)


def test_every_class_in_a_style_sheet_is_used_by_a_template_or_a_script() -> None:
    written = [
        found
        for kind, pattern in (
            ("templates/**/*.html", CLASS_ATTRIBUTE),
            ("predictions/pages/*.py", TEXT),
        )
        for path in ROOT.glob(kind)
        for found in pattern.findall(path.read_text())
    ]
    for path in STATIC.glob("*.js"):
        written += TEXT.findall(path.read_text())
    used = {name for text in written for name in re.findall(r"[\w-]+", text)}
    used |= set(DEFAULT_TAGS.values())
    styled = {
        (sheet.name, name)
        for sheet in STATIC.glob("*.css")
        if sheet.name not in OF_OTHERS
        for selector in re.findall(r"([^{}]+)\{", NOT_A_SELECTOR.sub("", sheet.read_text()))
        for name in re.findall(r"\.([a-zA-Z][\w-]*)", selector)
    }
    assert len(styled) > 100
    assert {one for one in styled if one[1] not in used} == set()
