"""Two lists for one request interleaved (team draft): every rule of the shop holds for what comes out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from varde.interleaving import team_draft

from . import lists
from .asked import Asked
from .lists import NONE, Made, Memory, Read
from .rules import MUST_INCLUDE, Pick, Picker
from .shelf import slots_of


def drafted(
    memory: Memory,
    rivals: tuple[Asked, Asked],
    reads: tuple[Read, Read],
    taken: Collection[int],
    choice: Callable[[], int],
) -> tuple[Made, list[int | None]]:
    """The list of both, and which of them placed each item; None for neither: the shop, or nobody competed.

    The first rival's rules hold for the whole list, beside those of each for what it puts forward. Each puts forward
    twice as many items as are wanted: whatever the other one takes, bounds on brands and variants leave enough.

    Args:
        memory: the server's.
        rivals: the request as each variation answers it.
        reads: what was read for each.
        taken: slots that other lists of the same page show.
        choice: 1 when the first picks first in a round (`interleaving.bits`).
    """
    asked = rivals[0]
    one, other = (
        lists.compose(memory, replace(rival, n=2 * asked.n, standing={}), read, taken)
        for rival, read in zip(rivals, reads, strict=True)
    )
    picker = _picker(memory, asked, reads[0], taken)
    pinned = {pick.slot: pick for pick in (*one.picks, *other.picks) if pick.rung == MUST_INCLUDE}
    picker.pin(pinned)
    sides = tuple({pick.slot: pick for pick in made.picks if pick.slot not in pinned} for made in (one, other))
    picks: list[Pick] = [pinned[pick.slot] for pick in picker.picks]
    teams: list[int | None] = [None] * len(picks)

    def takes(slot: int) -> bool:
        before = len(picker.picks)
        picker.pin((slot,))
        return len(picker.picks) > before

    for slot, side in team_draft([*sides[0]], [*sides[1]], asked.n - len(picks), choice, takes):
        picks.append(sides[side][slot] if side is not None else (sides[0].get(slot) or sides[1][slot]))
        teams.append(side)
    rung = next((pick.rung for pick in picks if pick.rung != MUST_INCLUDE), picks[0].rung if picks else NONE)
    rows = tuple(dict.fromkeys((*one.rows, *other.rows)))
    return Made(picks, rung, one.stale or other.stale, rows, one.seeds), teams


def _picker(memory: Memory, asked: Asked, found: Read, taken: Collection[int]) -> Picker:
    """What says whether an item may stand beside those that are in the list."""
    shelf = memory.shelf
    known = slots_of(shelf, found.seeds)
    groups = [code for seed in found.seeds if (code := shelf.group_of(seed)) is not None]
    return Picker(shelf, lists.rules(memory, asked, known), asked.n, taken=taken, own=known, groups=groups)
