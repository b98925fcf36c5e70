"""The pictures of the README, made by the program itself: the gallery and the Prefect run page of the demo batch.

python tests/programmes/screenshots.py docs/images
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PORT = 8199
API = f"http://127.0.0.1:{PORT}/api"


def wait_for_server() -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{API}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the Prefect server does not start")


def found(what: str, **wanted: object) -> list[dict[str, str]]:
    request = urllib.request.Request(
        f"{API}/{what}/filter", json.dumps(wanted).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return list(json.load(answer))


def newest_flow_run() -> str:
    return found("flow_runs", sort="START_TIME_DESC", limit=1)[0]["id"]


def picture(page: Page, url: str, target: Path, *, settle_ms: int) -> None:
    page.goto(url, wait_until="load")
    page.wait_for_timeout(settle_ms)
    page.screenshot(path=str(target))
    print(f"wrote {target}")


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    if not shutil.which(CHROMIUM):
        raise SystemExit(f"No Chromium at {CHROMIUM}; install it with apt-get install chromium.")
    with tempfile.TemporaryDirectory() as place:
        environment = {
            **os.environ,
            "PREFECT_HOME": f"{place}/prefect",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_UI_API_URL": API,
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(PORT)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_server()
            run = [sys.executable, "-m", "flows.command_line", "demo", "--out", "demo"]
            subprocess.run(run, check=True, cwd=place, env={**environment, "PREFECT_API_URL": API})
            time.sleep(8)  # records of task runs reach the server's pages late
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                picture(page, f"file://{place}/demo/rehearsal/gallery.html", target / "gallery.png", settle_ms=1500)
                run_page = f"http://127.0.0.1:{PORT}/runs/flow-run/{newest_flow_run()}"
                picture(page, run_page, target / "prefect-run.png", settle_ms=6000)
                for tab in ("Task Runs", "Artifacts"):
                    page.get_by_role("tab", name=tab).or_(page.get_by_text(tab, exact=True)).first.click()
                    page.wait_for_timeout(3000)
                    page.screenshot(path=str(target / f"prefect-{tab.lower().replace(' ', '-')}.png"))
                clip = found("task_runs", task_runs={"name": {"any_": ["tram-rain"]}}, limit=1)[0]["id"]
                clip_page = f"http://127.0.0.1:{PORT}/runs/task-run/{clip}"
                picture(page, clip_page, target / "prefect-clip-log.png", settle_ms=4000)
                artifact = found("artifacts", artifacts={"task_run_id": {"any_": [clip]}}, limit=1)[0]["id"]
                picture(
                    page,
                    f"http://127.0.0.1:{PORT}/artifacts/artifact/{artifact}",
                    target / "prefect-clip.png",
                    settle_ms=4000,
                )
                (summary,) = (one["id"] for one in found("artifacts") if str(one["key"]).endswith("summary"))
                picture(
                    page,
                    f"http://127.0.0.1:{PORT}/artifacts/artifact/{summary}",
                    target / "prefect-summary.png",
                    settle_ms=4000,
                )
                browser.close()
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
