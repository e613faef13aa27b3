"""The configuration file as the commands over experiments read it: once, and refused as the server refuses it."""

from __future__ import annotations

from pathlib import Path

from varde import config
from varde.config import Config
from varde.settings import Settings, SettingsError
from varde.watched import Beside, reader


def file_of(settings: Settings) -> Path:
    """The configuration file.

    Raises:
        SettingsError: none is configured.
    """
    if not settings.config:
        msg = "VARDE_CONFIG: names no file, and experiments are configured there"
        raise SettingsError(msg)
    return Path(settings.config)


def text_of(path: Path) -> str:
    """The file's text.

    Raises:
        SettingsError: it cannot be read, or is no text.
    """
    try:
        content = reader(path)()
        if len(content) > config.MOST_BYTES:
            msg = f"VARDE_CONFIG: {path}: is larger than {config.MOST_BYTES:,} bytes"
            raise SettingsError(msg)
        return content.decode()
    except UnicodeDecodeError:
        msg = f"VARDE_CONFIG: {path}: is not UTF-8"
        raise SettingsError(msg) from None
    except OSError as error:
        msg = f"VARDE_CONFIG: {path}: {error.strerror or error}"
        raise SettingsError(msg) from None


def load(settings: Settings) -> Config:
    """What the file says.

    Raises:
        SettingsError: there is none, it cannot be read, or makes no sense.
    """
    path = file_of(settings)
    try:
        return config.read(text_of(path), settings.rankings, Beside(path.parent))
    except config.ConfigError as error:
        msg = f"VARDE_CONFIG: {path}: {error}"
        raise SettingsError(msg) from None


def known(found: Config, key: str) -> None:
    """Refuse an experiment that there is not.

    Raises:
        SettingsError: with those that there are.
    """
    if key not in found.experiments:
        msg = f"there is no experiment {key!r}; known: {', '.join(found.experiments) or 'none'}"
        raise SettingsError(msg)
