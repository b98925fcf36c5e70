"""The transcript of docs/guide.md, made by the program itself: a campaign in which much goes wrong, settled to its end.

`PYTHONPATH=. python tests/programmes/transcript.py docs/guide.md` writes it anew between its two marks (a minute).
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests.programmes.prefect_trial.house import House, open_house

BEGIN, END = "<!-- transcript: make transcript -->\n", "<!-- end of transcript -->\n"
BATCH = """id,prompt,provider,remix_of
storm,A storm rolls over wheat fields,openai,
tram,A tram in the rain at night,openai,
kite,A red kite over dunes,openai,
crowd,A crowd cheers in a stadium,openai,
label,A bottle with a well-known label,openai,
sequel,The same bottle at dusk,openai,label
lamp,A lamp flickers in a corridor,openai,
boat,Paper boats with tiny lanterns,openai,
moon,The moon over a harbour,openai,
"""
#: What becomes of the first submissions, one after the other.
FATES = (
    {"cut": "before"},
    {"cut": "after"},
    {"outcome": "generation_failed"},
    {"outcome": "moderation_blocked"},
    {"status": 400, "code": "invalid_prompt", "message": "The prompt names a brand."},
)
MOST_LINES = 22


class Transcript:
    """What a person types, and what they are told."""

    def __init__(self, house: House) -> None:
        """Begin it, in a folder of the person's."""
        self._house, self.lines = house, list[str]()
        self.folder = house.folder / "shorts"
        self.folder.mkdir()

    def say(self, words: str) -> None:
        """Write a sentence between the commands."""
        self.lines += ["", words, ""]

    def type(self, command: str, code: int = 0) -> str:
        """Type a command; it must end with this exit code. Gives what it said.

        Raises:
            RuntimeError: it ends otherwise.
        """
        ended = self._house.command(*shlex.split(command), cwd=self.folder)
        heard = self._plain(ended.out + ended.err)
        if ended.code != code:
            raise RuntimeError(f"{command}: exit code {ended.code}\n{heard}")
        said = [line.rstrip() for line in heard.splitlines() if "in flight" not in line and line.strip()]
        more = [f"... {len(said) - MOST_LINES} more lines"] if len(said) > MOST_LINES else []
        self.lines += [
            "```console",
            f"$ {command}",
            *said[:MOST_LINES],
            *more,
            *([f"(exit code {code})"] if code else []),
            "```",
        ]
        return heard

    def _plain(self, text: str) -> str:
        """Without the folder of this trial."""
        return text.replace(f"{self.folder}/", "").replace(str(self._house.folder), "...")


def settle(here: Transcript, house: House) -> None:
    """The life of a campaign that nobody wishes for."""
    house.provider.faults(*({"match": {"route": "submit", "nth": [n]}, "do": do} for n, do in enumerate(FATES, 1)))
    here.say(
        "Nine rows, of which eight are to be made today. The connection breaks twice, and three rows are not to the provider's liking:"
    )
    here.type("reelbatch run shorts.csv --budget 10 --limit 8 --in-flight 1", 4)
    house.provider.faults()
    here.type("reelbatch ls outputs/shorts")
    here.say(
        "What is in doubt is looked at first. `resolve` shows the evidence, and what the provider's list of jobs knows:"
    )
    here.type("reelbatch resolve outputs/shorts storm")
    heard = here.type("reelbatch resolve outputs/shorts tram")
    found = re.search(r"\bvideo_\w+", heard)
    if found is None:
        raise RuntimeError(f"no job to adopt:\n{heard}")
    here.say(
        "The list has no job for the storm, and one for the tram. So the one was never bought, and the other comes home:"
    )
    here.type("reelbatch resolve outputs/shorts storm --not-charged")
    here.type(f"reelbatch resolve outputs/shorts tram --adopt {found.group()}")
    here.type("reelbatch collect outputs/shorts")
    here.say(
        "What failed for a passing reason is run again; what the provider refuses wants another prompt, or is set aside:"
    )
    here.type("reelbatch retry outputs/shorts --budget 10", 1)
    here.type('reelbatch redo outputs/shorts crowd --prompt "People cheer in a small theatre" --yes', 1)
    here.type("reelbatch archive outputs/shorts label sequel")
    here.say("The same command makes the rest, with what was redone:")
    here.type("reelbatch run shorts.csv --budget 10")
    here.say("A clip was deleted by mistake. Its link still lives:")
    (here.folder / "outputs" / "shorts" / "videos" / "lamp.mp4").unlink()
    here.type("reelbatch verify outputs/shorts")
    here.type("reelbatch status outputs/shorts")


def main() -> None:
    """Write the page anew."""
    page = Path(sys.argv[1])
    with open_house() as house:
        here = Transcript(house)
        (here.folder / "shorts.csv").write_text(BATCH, "utf-8")
        settle(here, house)
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n".join(here.lines).strip() + "\n" + END + after, "utf-8")


if __name__ == "__main__":
    main()
