"""The console in a real browser: Debian's chromium, as an operator and as a viewer."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from playwright.async_api import async_playwright, expect

from hookyard.console import orders
from hookyard.ledger.records import State
from tests.fakes import a_delivery, until
from tests.hookyard.console.conftest import PASSWORD, a_settlement

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: it is Debian's package of that name")


@pytest.fixture
async def browser(console):
    """A browser without anybody's data; it closes its streams before the console ends."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest.fixture
async def enter(browser, console):
    """Gives a coroutine function that signs somebody in and returns their page, which reports no error."""
    faults = []

    async def enter(name, **given):
        context = await browser.new_context(base_url=console.url, **given)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        await page.goto("/sign-in")
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="What became of deliveries")).to_be_visible()
        return page

    yield enter
    assert faults == []


async def state_of(listing, one):
    return (await listing.get(one)).state


async def test_an_operator_filters_opens_and_replays(enter, filled, listing):
    page = await enter("ann")
    await page.get_by_role("link", name="Deliveries", exact=True).click()
    await page.keyboard.press("/")
    await page.keyboard.type("state:failed handler:label")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.locator("body").click(position={"x": 2, "y": 300})
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("code.id")).to_have_text("d-1")
    await page.get_by_role("button", name="Replay failed handlers").click()
    await expect(page.locator(".title .state")).to_have_text("queued")
    assert await state_of(listing, "d-1") is State.QUEUED


async def test_an_operator_replays_a_kind_of_failure_and_pauses_and_stops_that(
    enter, ledger, listing, monkeypatch
):
    monkeypatch.setattr(orders, "STEP", 5)  # so that there is time to press buttons
    since_ms = a_delivery().received_ms - 9000
    for number in range(300):
        await ledger.accept(a_delivery(f"d-{number:03}", received_ms=since_ms + number))
    while claims := (await ledger.claim(worker="w", limit=50)).records:
        await asyncio.gather(*(ledger.settle(a_settlement(record, failed=True)) for record in claims))
    page = await enter("ann")
    await page.get_by_role("link", name="Failures", exact=True).click()
    await page.locator("a.row").first.click()
    await page.get_by_role("button", name="Replay all 300…").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Replay failed 300 deliveries?")
    await page.get_by_role("button", name="Replay failed").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".title .state")).to_have_text("paused")
    await page.get_by_role("button", name="Go on").click()
    await until(lambda: some_are_queued(listing))
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".title .state")).to_have_text("stopped")
    stats = await listing.stats()
    assert 0 < stats.states[State.QUEUED] < 300
    assert stats.states[State.QUEUED] + stats.states[State.FAILED] == 300


async def some_are_queued(listing):
    return (await listing.stats()).states[State.QUEUED] > 0


async def test_what_comes_meanwhile_is_told_and_the_rows_stay(enter, filled, ledger):
    page = await enter("vic")
    await page.goto("/deliveries")
    await expect(page.locator("tbody tr")).to_have_count(6)
    number = 0

    async def is_told():
        nonlocal number
        number += 1
        await ledger.accept(a_delivery(f"n-{number}"))
        await asyncio.sleep(0.3)
        return await page.locator("#new a").count()

    await until(is_told)
    await expect(page.locator("tbody tr")).to_have_count(6)
    await page.locator("#new a").click()
    await expect(page.locator("tbody tr").first).to_contain_text("Push")


async def test_a_page_works_without_scripts(enter, filled, listing):
    page = await enter("ann", java_script_enabled=False)
    await page.goto("/deliveries?q=state:failed")
    await page.get_by_label("Tick d-0").check()
    await page.get_by_label("Tick d-2").check()
    await page.get_by_role("button", name="Replay ticked").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert await state_of(listing, "d-0") is State.QUEUED


async def test_what_cannot_be_undone_is_asked_first(enter, filled, listing):
    page = await enter("ann")
    await page.goto("/deliveries/d-0")
    page.once("dialog", lambda dialog: dialog.dismiss())
    await page.get_by_role("button", name="Discard").click()
    await page.goto("/deliveries/d-0")
    assert await listing.get("d-0") is not None
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Discard").click()
    await expect(page.locator("tbody tr")).to_have_count(5)
    assert await listing.get("d-0") is None


async def test_signing_out_closes_the_pages(enter, filled):
    page = await enter("vic")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto("/deliveries")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
async def test_no_page_is_wider_than_its_window(enter, filled, width):
    page = await enter("root", viewport={"width": width, "height": 800})
    paths = ["/", "/deliveries", "/deliveries/d-0", "/failures", "/handlers", "/secrets", "/orders"]
    for path in paths:
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
