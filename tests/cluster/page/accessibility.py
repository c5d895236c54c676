"""What axe-core finds wrong with a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_GRAVE = ("serious", "critical")


def assert_accessible(page: Page) -> None:
    """Fail with a list of what axe-core calls serious or critical: WCAG 2.1 A and AA, and best practices.

    Motion is turned off before, so that no colour is judged half-way of a transition.
    """
    page.emulate_media(reduced_motion="reduce")
    if page.evaluate("!window.axe"):
        page.evaluate(Axe().axe_script)
    options = {"resultTypes": ["violations"], "runOnly": _RULES}
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    grave = [finding for finding in found if finding["impact"] in _GRAVE]
    assert not grave, "\n" + "\n".join(_told(finding) for finding in grave)


def _told(finding: dict[str, Any]) -> str:
    nodes = "\n".join(
        f"    {' '.join(map(str, node['target']))}: {node['html'][:160]}\n      {node['failureSummary']}"
        for node in finding["nodes"]
    )
    return f"  {finding['impact']} {finding['id']}: {finding['help']} ({finding['helpUrl']})\n{nodes}"
