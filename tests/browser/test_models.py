"""An operator lets another model version serve, and goes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Complaints, NewPage
from tests.browser.test_accessibility import violations
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]
ADD = """
from pathlib import Path
from predictions.registry import versions
from tests.support.networks import write_model
print(versions.add(write_model(Path({directory!r})), by="olga").number)
"""


# Both readings of a picture, and a day that drifts: what real ones need many pictures for.
SHOW = """
from predictions.core.calendar import today
from predictions.models import DriftDay, ShadowDisagreement
from predictions.shadow import runs
ShadowDisagreement.objects.create(
    run=runs.current(), prediction_id={prediction!r}, answered_text="7 42 31", text="1 42"
)
shifts = {{"confidence": [0.31, 0.1], "status": [0.02, 0.1], "digit": [0.05, 0.12]}}
DriftDay.objects.create(day=today(), model_version=0, shifts=shifts)
"""


# So that nothing is left in the queue.
DELETE = """
from uuid import UUID
from predictions import services
services.delete(UUID({prediction!r}), by=None)
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


def test_a_version_reads_along_and_is_looked_at(
    new_page: NewPage,
    server: Server,
    number: int,
    sign_in: SignIn,
    png: Callable[..., bytes],
) -> None:
    page = new_page(reduced_motion="reduce")
    sign_in(page, "olga")
    page.goto(f"/models/{number}/")
    page.get_by_label("Share of the pictures, in per cent").fill("100")
    page.get_by_role("button", name="Let it read along").click()
    expect(page.get_by_text("No picture was compared yet.")).to_be_visible()
    page.wait_for_timeout(3000)  # until the workers have loaded it
    file = FilePayload(name="7.png", mimeType="image/png", buffer=png("7"))
    answer = new_page().request.post("/api/v1/predictions", multipart={"file": file})
    prediction = answer.json()["id"]
    server.manage("shell", "-v0", "-c", SHOW.format(prediction=prediction))
    alike = page.get_by_text("Of 1 pictures, both read 1 alike (100.0%).")
    while not alike.is_visible():
        page.wait_for_timeout(500)
        page.reload()
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    expect(page.get_by_role("row", name="Picture 7 42 31 1 42")).to_be_visible()
    found = violations(page)
    page.get_by_role("button", name="Send them to the review queue").click()
    expect(page.get_by_text("1 picture was sent to the review queue.")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start again from 0")).to_be_visible()
    page.goto("/statistics/")
    expect(page.get_by_text("0.31 of 0.10 drift")).to_be_visible()
    found += violations(page)
    assert found == []
    server.manage("shell", "-v0", "-c", DELETE.format(prediction=prediction))
