"""The stream as a table of contents: read, parse, profiles, sum, deliver; failures meet in the dead letters.

Step names are part of the contract with running Dataflow jobs (`--update` maps state by them): a renamed step loses
its state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub, WriteToPubSub
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from varde.delivery import Pane

from . import seeds
from .catalogue import ApplyChanges
from .clock import wall_clock
from .dead_letters import DEAD
from .messages import Work
from .options import StreamParameters
from .panes import FormDeliveries, SumBriefly, Written
from .parse import ANONYMOUS, KNOWN, TALLY, ParseMessage
from .profiles import HANDED, AnonymousProfiles, KnownProfiles
from .seeds import ParseSeeds
from .sums import PANE
from .write import ApplyDeliveries


class Outputs(NamedTuple):
    """What a caller may look at or send on."""

    applied: Any
    """(shard, pair updates) of each delivery that is in Redis."""
    dead: Any
    """PubsubMessage for each message that could not be read, and a sample of each flood."""


def build(
    messages: Any,
    parameters: StreamParameters,
    bounded: bool,
    clock: Callable[[], int] = wall_clock,
    past: Any = None,
    items: Any = None,
) -> Outputs:
    """The graph, the same on every runner.

    Args:
        messages: PCollection of PubsubMessage or (data, published ms).
        parameters: checked options.
        bounded: whether the input ends (then sums need no trigger).
        clock: now in ms.
        past: PCollection of lines of varde.seed, whose counts are in Redis already; None for none.
        items: PCollection of messages of changes of the catalogue, like `messages`; None for none.
    """
    settings, lanes = parameters.settings, parameters.lanes
    parsed = messages | "Parse" >> beam.ParDo(ParseMessage(settings, lanes)).with_outputs(ANONYMOUS, KNOWN, DEAD, TALLY)
    inputs = [parsed]
    if past is not None:
        inputs.append(
            past | "ParseSeeds" >> beam.ParDo(ParseSeeds(settings.cap, lanes)).with_outputs(ANONYMOUS, KNOWN, TALLY)
        )
    anonymous, known = _profiles(inputs, parameters, bounded, clock)
    changed = [] if items is None else [_changed(items, parameters)]
    panes = (
        [
            *(_typed(source[TALLY], tuple[int, Pane]) for source in (*inputs, *changed)),
            _typed(anonymous[PANE], tuple[int, Pane]),
            _typed(known[PANE], tuple[int, Pane]),
        ]
        | "Differences" >> beam.Flatten()
        | "Briefly" >> SumBriefly(parameters.freshness_seconds, bounded)
    )
    applied = (
        panes
        | "Token"
        >> beam.ParDo(FormDeliveries(parameters.run_id, parameters.batch_updates)).with_output_types(
            tuple[str, Written]
        )
        | "Fix" >> beam.Reshuffle()  # a retry from here on sees the same batches under the same tokens
        | "Apply" >> beam.ParDo(ApplyDeliveries(settings, clock))
    )
    dead = [source[DEAD] for source in (parsed, anonymous, known, *changed)]
    return Outputs(applied, dead | "Dead" >> beam.Flatten())


def _profiles(
    inputs: list[Any], parameters: StreamParameters, bounded: bool, clock: Callable[[], int]
) -> tuple[Any, Any]:
    """The two stateful steps: outputs of the anonymous and of the known profiles."""
    settings, lanes = parameters.settings, parameters.lanes
    visitors = [_typed(source[ANONYMOUS], tuple[str, Work]) for source in inputs]
    anonymous = (
        # A Flatten of one would copy every element on the local runner.
        (visitors | "Visitors" >> beam.Flatten() if len(visitors) > 1 else visitors[0])
        | "Anonymous"
        >> beam.ParDo(AnonymousProfiles(settings, lanes, bounded, clock)).with_outputs(HANDED, DEAD, main=PANE)
    )
    known = (
        [*(_typed(source[KNOWN], tuple[str, Work]) for source in inputs), _typed(anonymous[HANDED], tuple[str, Work])]
        | "Customers" >> beam.Flatten()
        | "Known" >> beam.ParDo(KnownProfiles(settings, lanes, bounded, clock)).with_outputs(DEAD, main=PANE)
    )
    return anonymous, known


def _changed(items: Any, parameters: StreamParameters) -> Any:
    """The catalogue's own step."""
    step = ApplyChanges(parameters.settings, parameters.lanes)
    return items | "Catalogue" >> beam.ParDo(step).with_outputs(DEAD, TALLY)


def _typed(collection: Any, hint: Any) -> Any:
    """Name the element type of a tagged output: it decides the coder, and a state key needs a deterministic one."""
    collection.element_type = convert_to_beam_type(hint)
    return collection


def from_pubsub(pipeline: beam.Pipeline, parameters: StreamParameters) -> Outputs:
    """The live stream: Segment's subscription and the catalogue's in, dead letters out.

    Segment sets no attributes, so neither `id_label` nor `timestamp_attribute` can be used (docs/events.md).
    """
    messages = pipeline | "Read" >> ReadFromPubSub(
        subscription=parameters.input_subscription, with_attributes=True
    ).with_output_types(PubsubMessage)
    past = seeds.read(pipeline, parameters.seeds) if parameters.seeds else None
    items = None
    if parameters.catalogue_subscription:
        items = pipeline | "ReadCatalogue" >> ReadFromPubSub(
            subscription=parameters.catalogue_subscription, with_attributes=True
        ).with_output_types(PubsubMessage)
    outputs = build(messages, parameters, bounded=False, past=past, items=items)
    if parameters.dead_letter_topic:
        _ = outputs.dead | "DeadLetters" >> WriteToPubSub(parameters.dead_letter_topic, with_attributes=True)
    return outputs
