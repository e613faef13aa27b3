"""A stand-in for gcloud, bq and sleep on the PATH: notes every call, and answers as a small script of answers says."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STUB = f"""#!{sys.executable} -IS
import json, pathlib, sys
home = pathlib.Path({{home!r}})
words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with open(home / "calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if "query" in words and words[-1].startswith("--use_legacy_sql"):
    (home / "sql").write_text(sys.stdin.read())
line = " ".join(words)
answers = json.loads((home / "answers").read_text())
for place, (part, texts) in enumerate(answers):
    if part in line:
        text = texts[0]
        answers[place][1] = texts[1:] or texts
        (home / "answers").write_text(json.dumps(answers))
        if text is None:
            sys.exit(1)
        print(text)
        break
"""


@dataclass(frozen=True)
class Cloud:
    """Where the stand-ins are, what they have been asked, and what they answer."""

    home: Path

    @property
    def path(self) -> str:
        """For PATH."""
        return f"{self.home}:/usr/bin:/bin"

    def answer(self, *answers: tuple[str, str | Sequence[str | None] | None]) -> None:
        """To a call with this text in it: a text, or None for a failure; a list in its order, its last for ever.

        The first that fits is taken; a call that none fits succeeds without a word.
        """
        listed = [
            (part, [texts] if texts is None or isinstance(texts, str) else list(texts)) for part, texts in answers
        ]
        (self.home / "answers").write_text(json.dumps(listed))
        (self.home / "calls").write_text("")

    @property
    def calls(self) -> list[list[str]]:
        """All calls but those of sleep."""
        lines = (self.home / "calls").read_text().splitlines()
        return [words for words in map(json.loads, lines) if words[0] != "sleep"]

    @property
    def lines(self) -> list[str]:
        """The same, each as one line."""
        return [shlex.join(words) for words in self.calls]

    @property
    def sql(self) -> str:
        """What bq was given on its standard input last."""
        return (self.home / "sql").read_text()


def stand_in(home: Path) -> Cloud:
    """Stand-ins in the folder `home`."""
    for name in ("gcloud", "bq", "sleep"):
        stub = home / name
        stub.write_text(_STUB.format(home=str(home)))
        stub.chmod(0o755)
    cloud = Cloud(home)
    cloud.answer()
    return cloud
