"""Performs the steps of a Dockerfile without an engine: layers are overlay mounts, RUN is a process with its own root.

For Linux as root. A mount lives in the namespace of the one process that needs it, so nothing is left to unmount.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

from .recipe import Config, Recipe, Step, filled

_LENT = "/mnt"
"""Where a process finds what the machine lends it, which is no part of the image."""


@dataclass(frozen=True)
class Lent:
    """What a step that fetches packages needs of this machine: files by their place under /mnt, and variables."""

    places: Mapping[str, Path]
    env: Mapping[str, str]


def pip_of_this_machine(folder: Path) -> Lent:
    """The machine's own way to packages, whatever it is: pip's settings, with the local paths that they name."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    settings: dict[str, str] = {}
    folders: set[Path] = set()
    for line in said.splitlines():
        name, _, value = line.partition("=")
        words = []
        for word in value.strip("'\"").split():
            path = word.removeprefix("file://")
            if path.startswith("/") and Path(path).exists():
                folders.add(Path(path).parent)  # its pages may name what lies beside them
                word = word.removesuffix(path) + _LENT + path
            words.append(word)
        settings[name.rpartition(".")[2]] = " ".join(words)
    highest = {folder for folder in folders if folders.isdisjoint(folder.parents)}
    places = {f"{_LENT}{folder}": folder for folder in sorted(highest)}
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    with (folder / "pip.conf").open("w") as file:
        parser.write(file)
    return Lent(places | {f"{_LENT}/pip.conf": folder / "pip.conf"}, {"PIP_CONFIG_FILE": f"{_LENT}/pip.conf"})


def context(root: Path, folder: Path) -> Path:
    """What a clean clone of this tree would give to the build: all that git would take, less .dockerignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    clean = folder / "clean"
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (clean / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, clean / name)
    kept = folder / "context"
    kept.mkdir()
    for name in sorted(allowed(clean, (root / ".dockerignore").read_text())):
        if (clean / name).is_file():
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(clean / name, kept / name)
    shutil.rmtree(clean)
    return kept


def allowed(root: Path, ignored: str) -> set[str]:
    """The paths below `root` that a .dockerignore of this text lets through, by Docker's own client for Python."""
    patterns = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    # It lets .dockerignore and the Dockerfile through whatever they say, as Docker does; no COPY may name them.
    return set(exclude_paths(str(root), patterns, dockerfile=".dockerignore")) - {".dockerignore"}


@dataclass(frozen=True)
class Image:
    """A finished stage: its layers, the lowest first, and how it is run."""

    layers: tuple[Path, ...]
    config: Config

    def size(self, below: int = 1) -> int:
        """Bytes of its layers above the lowest `below`."""
        said = subprocess.run(
            ["du", "--summarize", "--bytes", "--total", *self.layers[below:]],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        return int(said.splitlines()[-1].split()[0])


class Kitchen:
    """Makes the stages of a recipe.

    Args:
        recipe: the Dockerfile.
        context: folder that COPY takes from.
        bases: image name -> folder that stands for its files.
        folder: for the layers.
        args: --build-arg.
        lent: what RUN may use of the machine.
    """

    def __init__(
        self,
        recipe: Recipe,
        context: Path,
        bases: Mapping[str, Path],
        folder: Path,
        args: Mapping[str, str],
        lent: Lent,
    ) -> None:
        self._recipe, self._context, self._bases, self._folder = recipe, context, bases, folder
        self._args, self._lent = args, lent
        self._made: dict[str, Image] = {}

    def anew(self, folder: Path) -> Kitchen:
        """One that has made nothing yet, with its layers in another folder."""
        return Kitchen(self._recipe, self._context, self._bases, folder, self._args, self._lent)

    def make(self, name: str) -> Image:
        """The image of a stage, or of a base."""
        if name in self._bases:
            return Image((self._bases[name],), Config(env={"PATH": "/usr/local/bin:/usr/bin:/bin"}))
        if name not in self._made:
            stage = self._recipe.stages[name]
            below = self.make(stage.base)
            config, layers = below.config.inherited(), below.layers
            layer = self._folder / name
            layer.mkdir()
            for step in stage.steps:
                config.told(step, self._args)
                if step.name == "COPY":
                    self._copy(step, config, layers, layer)
                elif step.name == "RUN":
                    self._run(step, config, layers, layer)
                elif step.name == "WORKDIR":
                    inside(layers, layer, ["/bin/mkdir", "-p", config.folder], Config())
            self._made[name] = Image((*layers, layer), config)
        return self._made[name]

    def _run(self, step: Step, config: Config, layers: Sequence[Path], layer: Path) -> None:
        words = list(step.words) if step.listed else ["/bin/sh", "-c", *step.words]
        told = Config(env={**config.env, **config.args, **self._lent.env}, folder=config.folder, user=config.user)
        inside(layers, layer, words, told, self._lent)

    def _copy(self, step: Step, config: Config, layers: Sequence[Path], layer: Path) -> None:
        """Docker's rules: of a folder its content; into a folder when it ends in / or there are several."""
        *sources, to = (filled(word, config.args | config.env) for word in step.words)
        target = os.path.join(config.folder, to)  # noqa: PTH118 - a final slash has a meaning
        if "from" in step.flags:
            image = self.make(step.flags["from"])
            places = {f"{_LENT}/{n}": path for n, path in enumerate(image.layers)}
            roots = [f"{_LENT}/{n}" for n in range(len(image.layers))]
        else:
            places, roots = {f"{_LENT}/0": self._context}, [f"{_LENT}/0"]
        script = ["set -eu"]
        for source in sources:
            for root in roots:
                found = f"{root}/{source.lstrip('/')}"
                into = target if target.endswith("/") or len(sources) > 1 else os.path.dirname(target)  # noqa: PTH120
                script.append(
                    f'if [ -d "{found}" ]; then mkdir -p "{target}"; cp -a "{found}/." "{target}"; '
                    f'elif [ -e "{found}" ]; then mkdir -p "{into}"; cp -a "{found}" "{target}"; fi'
                )
        script.append(f'chown -R 0:0 "{target}"')
        inside(layers, layer, ["/bin/sh", "-c", "\n".join(script)], Config(), Lent(places, {}))


def command(
    layers: Sequence[Path], upper: Path, words: Sequence[str], config: Config, lent: Lent | None = None
) -> list[str]:
    """The words of a process that runs `words` in an image: own root, own mounts, first of its process namespace.

    Args:
        layers: the image's, the lowest first.
        upper: folder that gets what it writes.
        words: program and arguments.
        config: its variables, folder and user.
        lent: what is mounted under /mnt.
    """
    for name in ("work", "merged"):
        (upper.parent / f".{upper.name}-{name}").mkdir(exist_ok=True)
    work, merged = (upper.parent / f".{upper.name}-{name}" for name in ("work", "merged"))
    lower = ":".join(str(layer) for layer in reversed(layers))
    script = [f'mount -t overlay overlay -o "lowerdir={lower},upperdir={upper},workdir={work}" "{merged}"']
    if lent:
        script.append(f'mount -t tmpfs tmpfs "{merged}{_LENT}"')
        for place, path in lent.places.items():
            script.append(f'mkdir -p "$(dirname "{merged}{place}")"')
            script.append(f'{"mkdir" if path.is_dir() else "touch"} "{merged}{place}"')
            script.append(f'mount --bind "{path}" "{merged}{place}"')
    user, _, group = config.user.partition(":")
    return [
        *("unshare", "--mount", "--propagation=private", "/bin/sh", "-euc", "\n".join([*script, 'exec "$@"']), "sh"),
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", f"--root={merged}", f"--wd={config.folder}"),
        *("/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"),
        *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in config.env.items()), *words),
    ]


def inside(layers: Sequence[Path], upper: Path, words: Sequence[str], config: Config, lent: Lent | None = None) -> str:
    """Run a program in an image to its end; its output.

    Raises:
        RuntimeError: it failed; the message has its output.
    """
    done = subprocess.run(
        command(layers, upper, words, config, lent),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    if done.returncode:
        msg = f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        raise RuntimeError(msg)
    return done.stdout
