"""An operator lets another model version serve, and goes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]
ADD = """
from pathlib import Path
from predictions.registry import versions
from tests.support.networks import write_model
print(versions.add(write_model(Path({directory!r})), by="olga").number)
"""


@pytest.fixture
def number(server: Server, tmp_path: Path) -> int:
    """A version that was added just now, measured on other digits than the one that ships."""
    return int(
        server.manage("shell", "-v0", "-c", ADD.format(directory=str(tmp_path / "candidate")))
    )


def test_who_may_activates_a_version_and_rolls_back(
    page: Page, server: Server, number: int, sign_in: SignIn, complaints: Complaints
) -> None:
    complaints.expect("status of 409")
    page.set_default_timeout(120_000)  # a version reads some pages before it is activated
    sign_in(page, "olga")
    page.goto("/models/")
    page.get_by_role("link", name=f"Version {number}").click()
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("alert")).to_contain_text("were measured on different digits")
    page.get_by_label("Activate even if it performs worse").check()
    page.get_by_label("Reason", exact=True).fill("the first of our own")
    page.get_by_role("button", name="Activate").click()
    expect(
        page.get_by_text(f"Model version {number} is now active, replacing version 0")
    ).to_be_visible()
    expect(page.get_by_role("row", name=f"Version {number}")).to_contain_text("active")
    expect(page.get_by_text("the first of our own")).to_be_visible()
    page.get_by_label("Activate even if it performs worse").check()
    page.get_by_label("Reason", exact=True).fill("it was a trial")
    page.get_by_role("button", name="Roll back to version 0").click()
    expect(
        page.get_by_text(f"Model version 0 is now active, replacing version {number}")
    ).to_be_visible()
    assert [line[:3] for line in server.manage("models").splitlines() if line[0] == "*"] == ["* 0"]


def test_who_may_not_sees_no_way_to_activate(page: Page, number: int, sign_in: SignIn) -> None:
    sign_in(page, "vera")
    for address in ("/models/", f"/models/{number}/"):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("button", name="Activate")).to_have_count(0)
        expect(page.get_by_role("button", name="Roll back to version")).to_have_count(0)
