"""Runs in the Python of Google's SDK, never in ours: what gcloud's and bq's own parsers say to command lines.

    python gcloud_parser.py SDK gcloud|bq < lines.json > verdicts.json

In: a list of argument lists without their first word. Out: for each an empty text, or why it is refused. Nothing is run
and nothing asked over a network: parsing is all that the commands do before they would.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path


def gcloud(sdk):
    """gcloud's command tree, loaded once; a surface is read when its first command is parsed."""
    sys.path[:0] = [str(sdk / "lib"), str(sdk / "lib" / "third_party")]
    from googlecloudsdk import gcloud_main  # type: ignore[import-not-found]

    parser = gcloud_main.CreateCLI([])._CLI__parser

    def parse(words):
        parsed = parser.parse_args(words)
        if parsed.CONCEPT_ARGS is not None:
            parsed.CONCEPT_ARGS.ParseConcepts()

    return parse


def bq(sdk):
    """bq's commands without their last step, the call of BigQuery. Flags are global, so each line has its child."""
    sys.path.insert(0, str(sdk / "platform" / "bq"))
    import bq as main  # type: ignore[import-not-found]
    from frontend import bigquery_command  # type: ignore[import-not-found]
    from pyglib import appcommands  # type: ignore[import-not-found]

    bigquery_command.BigqueryCmd.RunSafely = lambda command, words, options: 0

    def parse(words):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            sys.modules["__main__"] = main
            sys.argv = ["bq", *words]
            said = judge(lambda _: appcommands.Run(), words)
            os.write(writer, said.encode()[:4000])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as told:
            said = told.read().decode()
        if os.waitpid(child, 0)[1] != 0 or said:
            raise SystemExit(said or "the parser died")

    return parse


def judge(parse, words):
    """An empty text, or why the parser refuses the words."""
    told = sys.stderr = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            parse(words)
    except SystemExit as end:
        return "" if end.code in (0, None) else f"{end.code} {told.getvalue()}"
    except BaseException as error:  # noqa: BLE001 - whatever a parser raises is its refusal
        return f"{type(error).__name__}: {error} {told.getvalue()}"
    return ""


def main():
    """Judge all lines of the standard input."""
    parse = {"gcloud": gcloud, "bq": bq}[sys.argv[2]](Path(sys.argv[1]))
    verdicts = [judge(parse, words) for words in json.load(sys.stdin)]
    json.dump(verdicts, sys.__stdout__)
    sys.__stdout__.flush()


if __name__ == "__main__":
    main()
