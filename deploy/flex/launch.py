"""What the flex template's launcher runs: fetches the one secret that the stream needs, then is `varde stream`.

Parameters of a template are shown to everybody who sees the job, so the secret goes by its name in Secret Manager
(`--id_secret_version`) and is read here, with the launcher's own account.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from varde.settings import SettingsError

OPTION = "--id_secret_version="


def separated(argv: list[str]) -> tuple[str, list[str]]:
    """The version of the secret, and the options that are the stream's.

    Raises:
        SettingsError: it is not named, or more than once.
    """
    named = [word.removeprefix(OPTION) for word in argv if word.startswith(OPTION)]
    if len(named) != 1 or not named[0]:
        msg = f"{OPTION.rstrip('=')}: must be given once, projects/P/secrets/S/versions/V"
        raise SettingsError(msg)
    return named[0], [word for word in argv if not word.startswith(OPTION)]


def secret_manager(version: str) -> str:
    """The secret's value, out of Secret Manager.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: no such version, or no right to read it.
    """
    from google.cloud import secretmanager

    answer = secretmanager.SecretManagerServiceClient().access_secret_version(name=version)
    return str(answer.payload.data.decode("utf-8")).strip()


def launch(
    argv: list[str],
    environ: dict[str, str],
    read: Callable[[str], str],
    run: Callable[[list[str], dict[str, str]], int],
) -> int:
    """Start the stream with the secret in its environment.

    Args:
        argv: the template's parameters as options, with those that Dataflow adds.
        environ: the launcher's environment.
        read: gives the value of a version of a secret.
        run: `varde stream`: options and environment in, exit code out.

    Returns:
        The exit code.
    """
    version, options = separated(argv)
    return run(options, environ | {"VARDE_ID_SECRET": read(version)})


def main() -> int:
    """Run on Dataflow's launcher, in the image of the stream."""
    from varde.streaming.main import run

    try:
        return launch(sys.argv[1:], dict(os.environ), secret_manager, run)
    except SettingsError as error:
        sys.stderr.write(f"varde stream: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
