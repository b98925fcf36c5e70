"""The pictures of the README and docs/, made by the program itself: the gallery of the demo batch, and pages of Prefect's.

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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
BATCH = """id,prompt,provider
tram-rain,"A tram in the rain at night, neon on wet cobbles",qiniu
kettle,"A kettle sings on a gas stove, steam in morning light",qiniu
kite,"A red kite over dunes, long shadows",qiniu
"""
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


class Camera:
    """Takes pictures of pages into a folder."""

    def __init__(self, page: Page, target: Path) -> None:
        """Point it at a page of a browser."""
        self._page, self._target = page, target

    def take(self, url: str, name: str, *, settle_ms: int = 4000) -> None:
        """Take a picture of an address."""
        self._page.goto(url, wait_until="load")
        self._page.wait_for_timeout(settle_ms)
        self._page.screenshot(path=str(self._target / name))
        print(f"wrote {self._target / name}")

    def prefect(self, path: str, name: str) -> None:
        """Take a picture of a page of Prefect's."""
        self.take(f"http://127.0.0.1:{PORT}/{path}", name)


@contextmanager
def process(*command: str, environment: dict[str, str], cwd: str) -> Iterator[None]:
    """Have something serve for the length of the block."""
    silent = subprocess.DEVNULL
    served = subprocess.Popen(
        [sys.executable, "-m", *command], env=environment, cwd=cwd, stdin=silent, stdout=silent, stderr=silent
    )
    try:
        yield
    finally:
        served.terminate()
        served.wait(20)


def operate(reelbatch: Callable[..., None], place: Path) -> None:
    """What a person does who has pictures to show: the demo, a deployment, and a run that uses an account."""
    reelbatch("demo", "--out", "demo")
    batch = place / "shorts.csv"
    batch.write_text(BATCH, "utf-8")
    schedule = ("--cron", "0 2 * * *", "--timezone", "Europe/Berlin")
    reelbatch(
        "deploy", str(batch), "--name", "shorts", "--budget", "25", *schedule, "--notify", "json://127.0.0.1:9/told"
    )
    reelbatch("run", str(batch), "--budget", "25")


def look(camera: Camera, place: Path) -> None:
    """Every picture."""
    camera.take(f"file://{place}/demo/rehearsal/gallery.html", "gallery.png", settle_ms=1500)
    (demo,) = found("flow_runs", flow_runs={"name": {"like_": "demo"}}, limit=1)
    camera.prefect(f"runs/flow-run/{demo['id']}", "prefect-run.png")
    clip = found("task_runs", task_runs={"name": {"any_": ["tram-rain"]}}, limit=1)[0]["id"]
    artifact = found("artifacts", artifacts={"task_run_id": {"any_": [clip]}}, limit=1)[0]["id"]
    camera.prefect(f"artifacts/artifact/{artifact}", "prefect-clip.png")
    of_demo = found("artifacts", artifacts={"flow_run_id": {"any_": [demo["id"]]}})
    summary = next(one["id"] for one in of_demo if str(one["key"]).endswith("summary"))
    camera.prefect(f"artifacts/artifact/{summary}", "prefect-summary.png")
    (deployment,) = found("deployments", deployments={"name": {"any_": ["shorts"]}})
    camera.prefect(f"deployments/deployment/{deployment['id']}/run", "prefect-form.png")
    camera.prefect("concurrency-limits", "prefect-concurrency.png")
    camera.prefect("automations", "prefect-automations.png")


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    if not shutil.which(CHROMIUM):
        raise SystemExit(f"No Chromium at {CHROMIUM}; install it with apt-get install chromium.")
    with tempfile.TemporaryDirectory(prefix="studio-") as place, ExitStack() as stack:
        environment = {
            **os.environ,
            "PREFECT_HOME": f"{place}/prefect",
            "XDG_STATE_HOME": f"{place}/state",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_UI_API_URL": API,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        server = ("prefect", "server", "start", "--port", str(PORT))
        stack.enter_context(process(*server, environment=environment, cwd=place))
        sandbox = ("flows.command_line", "sandbox", "--port", str(PORT + 1), "--speed", "20")
        stack.enter_context(process(*sandbox, environment=environment, cwd=place))
        wait_for_server()
        environment |= {"PREFECT_API_URL": API, "QINIU_API_KEY": "any-key"}
        environment |= {"QINIU_BASE_URL": f"http://127.0.0.1:{PORT + 1}/qiniu/v1"}

        def reelbatch(*arguments: str) -> None:
            subprocess.run(
                [sys.executable, "-m", "flows.command_line", *arguments], check=True, cwd=place, env=environment
            )

        operate(reelbatch, Path(place))
        time.sleep(8)  # records of task runs reach the server's pages late
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            look(Camera(browser.new_page(viewport={"width": 1400, "height": 1000}), target), Path(place))
            browser.close()


if __name__ == "__main__":
    main()
