"""Trial: fifty files dropped into an inbox in three bursts, some twice, some broken, and the watcher killed once.

A real server, `reelbatch inbox` in a process of its own, and the sandbox's bill as judge: each good content was ordered once,
each broken file was refused with its report, and each file lies where it belongs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.programmes.prefect_trial.house import House, Promises, open_house, until

GOOD, TWICE, BROKEN = 34, 8, 8


def drop(box: Path, name: str, text: str) -> None:
    """Drop a file as a person does: it grows where it lies."""
    with (box / name).open("w", encoding="utf-8") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        file.write(text[len(text) // 2 :])


def good(number: int) -> tuple[str, str]:
    """A good file: CSV, YAML or JSONL, two clips each."""
    prompts = [f"good {number} clip {clip}" for clip in (1, 2)]
    match number % 3:
        case 0:
            return f"good-{number}.csv", "id,prompt\n" + "".join(f"{n},{p}\n" for n, p in enumerate(prompts))
        case 1:
            return f"good-{number}.yaml", "jobs:\n" + "".join(f"- prompt: {p}\n" for p in prompts)
    return f"good-{number}.jsonl", "".join(f'{{"prompt": "{p}"}}\n' for p in prompts)


def broken(number: int) -> tuple[str, str]:
    """A file that cannot be planned, each for a reason of its own kind."""
    texts = [
        "id,prompt\n1,\n2,\n",
        "id,text\n",
        "jobs: [\n",
        "id,prompt,seconds\n1,broken,999\n",
        "id,prompt\n1,broken on {{ date }}\n",
        "id,prompt,image_url\n1,broken,missing.png\n",
        "id,prompt\n1,broken\n1,broken again\n",
        "id,prompt,provider\n1,broken,nobody\n",
    ]
    return f"broken-{number}.{'yaml' if texts[number].startswith('jobs') else 'csv'}", texts[number]


def watch(house: House, box: Path) -> subprocess.Popen[bytes]:
    """Start the watcher."""
    arguments = ("inbox", box, "--budget", "5", "--provider", "qiniu", "--every", "1", "--out", house.folder / "root")
    return house.start("reelbatch", *arguments)


def waiting(box: Path) -> list[str]:
    """What lies in the inbox still."""
    return sorted(path.name for path in box.iterdir() if path.is_file() and not path.name.startswith("."))


def look(house: House, box: Path, promises: Promises) -> None:
    """Compare the bill and the folders with what was dropped."""
    prompts = Counter(house.provider.prompts())
    wanted = {f"good {number} clip {clip}" for number in range(GOOD) for clip in (1, 2)}
    promises.check("each good content was ordered once", holds=prompts == Counter(wanted), seen=sum(prompts.values()))
    trays = {tray: sorted(p.name for p in (box / tray).glob("*")) for tray in ("done", "refused", "seen", "failed")}
    counts = {tray: len([name for name in names if not name.endswith(".report.txt")]) for tray, names in trays.items()}
    fate = {"done": GOOD, "refused": BROKEN, "seen": TWICE, "failed": 0}
    promises.check("each file lies where it belongs", holds=counts == fate, seen=counts)
    refused = [broken(number)[0] for number in range(BROKEN)]
    there = all(f"{name}.report.txt" in trays["refused"] for name in refused)
    promises.check("each broken one has its report", holds=there)
    for name in refused:
        print("   ", (box / "refused" / f"{name}.report.txt").read_text("utf-8").splitlines()[0][:150])
    for path in sorted((box / "seen").glob("*.report.txt"))[:2]:
        print("   ", path.name, path.read_text("utf-8").splitlines()[0])
    clips = len([*(house.folder / "root").glob("*/videos/*.mp4")])
    promises.check("every clip is on the disk", holds=clips == 2 * GOOD, seen=clips)


def main() -> None:
    """Run the trial."""
    promises = Promises()
    with open_house(provider={"latency": "2.5"}) as house:
        box = house.folder / "inbox"
        box.mkdir()
        files = [good(number) for number in range(GOOD)]
        files += [broken(number) for number in range(BROKEN)]
        files += [(f"again-{number}{Path(good(number)[0]).suffix}", good(number)[1]) for number in range(TWICE)]
        (box / "~$good.xlsx").write_text("of Excel", "utf-8")
        (box / ".hidden.csv").write_text("id,prompt\n1,never\n", "utf-8")
        watcher = watch(house, box)
        bursts = [files[0::3], files[1::3], files[2::3]]
        for burst in bursts[:2]:
            for name, text in burst:
                drop(box, name, text)
            before = len(house.provider.bill())
            until(lambda before=before: len(house.provider.bill()) > before + 6, "The first orders of a burst", 240)
        # Both clips of a file are ordered and being made: a kill in mid-submission would leave them in doubt, rightly.
        until(lambda: len(house.provider.bill()) % 2 == 0, "Both orders of a file")
        time.sleep(1)
        os.killpg(watcher.pid, signal.SIGKILL)
        watcher.wait()
        print(
            f"killed with {len(house.provider.bill())} orders on the bill, {len(waiting(box))} files waiting",
            flush=True,
        )
        second = watch(house, box)
        for name, text in bursts[2]:
            drop(box, name, text)
        until(lambda: waiting(box) == ["~$good.xlsx"], "The inbox to be empty", 600)
        os.killpg(second.pid, signal.SIGTERM)
        code = second.wait(60)
        promises.check("the watcher leaves in order", holds=code == 130, seen=code)
        look(house, box, promises)
        runs = Counter(run["state"]["name"] for run in house.api.runs() if not run["name"].startswith("inbox"))
        print(f"    campaigns as Prefect shows them: {dict(runs)}")
    promises.leave()


if __name__ == "__main__":
    main()
