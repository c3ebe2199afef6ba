"""The fields of each JSON file and their types, and the functions that read and write a file by them."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from jax_resnet.config.fields import Config, Natural, NotNegative
from jax_resnet.errors import ConfigError

Percent = Annotated[float, Meta(ge=0, le=100)]
Value = bool | int | float | str | tuple[Any, ...] | None


def read(path: Path, schema: Any) -> Any:
    """Reads a JSON file. Raises ConfigError if it cannot be read, or does not fit `schema`, one of the types below."""
    try:
        return parse(path.read_bytes(), schema, str(path))
    except OSError as e:
        raise ConfigError(f'{path} cannot be read ({e.strerror})') from None


def as_json(value: Any) -> bytes:
    """Returns the content of a JSON file with a value of one of the types below."""
    return (json.dumps(value, indent=2, allow_nan=False, default=msgspec.to_builtins) + '\n').encode()


def parse(content: bytes, schema: Any, name: str) -> Any:
    """Like `read`, for the content of a file. The message begins with `name`."""
    try:
        return msgspec.json.decode(content, type=schema)
    except (msgspec.MsgspecError, ValueError, RecursionError) as e:
        raise ConfigError(f'{name} is damaged: {e}') from None


class RunConfig(TypedDict):
    """config.json: where a run comes from, and its whole config.

    Attributes:
        file: the config file with its argument, as on the command line. None if a program gave the config itself.
        changes: the fields that were changed in that config, by dotted name.
        fields: all fields.
    """

    file: str | None
    changes: dict[str, Value]
    fields: Config


class Start(TypedDict):
    """An element of environment.json: the date of a start of the run (UTC, ISO 8601), and its machine and versions.

    `platform` says what the start used of its platform, such as oneDNN or CUDA graphs; `initialization`, where the
    weights of init_from came from, with the commit if that was the Hub.
    """

    step: Natural
    versions: dict[str, str]
    device: str
    git_commit: str | None
    date: str | None
    jax_options: dict[str, dict[str, Value]]
    platform: NotRequired[dict[str, Value]]
    extension: NotRequired[str]
    initialization: NotRequired[str]


class Line(TypedDict):
    """A line of metrics.jsonl.

    The training loss and error are those of the steps since the line before; `train_loss_sum` and `train_error_sum` are
    sums over all steps of the run: of the steps' mean losses, and of the wrong predictions.
    """

    step: Natural
    epoch: NotNegative
    train_loss: float
    train_error: Percent
    test_loss: float
    test_error: Percent
    learning_rate: NotNegative
    seconds: NotNegative
    images_per_second: NotNegative | None
    train_loss_sum: float
    train_error_sum: Natural
    validation_loss: NotRequired[float]
    validation_error: NotRequired[Percent]
    test_top5_error: NotRequired[Percent]
    validation_top5_error: NotRequired[Percent]


class Summary(TypedDict):
    """summary.json."""

    final_test_error: Percent
    final_test_loss: float
    best_test_error: Percent
    best_epoch: NotNegative
    final_train_error: Percent
    test_correct: Natural
    test_count: Natural
    class_errors: dict[str, Percent | None]
    parameters: Natural
    multiply_adds: Natural
    steps: Natural
    epochs: NotNegative
    shorten: NotRequired[Natural]
    seconds: NotNegative
    device: str
    seconds_by_part: NotRequired[dict[str, NotNegative]]
    final_validation_error: NotRequired[Percent]
    final_test_top5_error: NotRequired[Percent]
    protocol: NotRequired[Literal['ten_crop', 'multi_scale']]
    protocol_test_error: NotRequired[Percent]
    protocol_test_top5_error: NotRequired[Percent]


class Card(RunConfig):
    """The card in the header of a file of weights: the config of the network, what its input and output mean, the run.

    A card without `image_shape`, `test_crop` and `class_names` describes only the network. `origin` is the name on the
    Hub, with the commit, of a network that came from there.
    """

    image_shape: NotRequired[tuple[Natural, Natural, Natural]]
    test_crop: NotRequired[Natural]
    class_names: NotRequired[tuple[str, ...]]
    origin: NotRequired[str]
    seed: NotRequired[Natural]
    median_of_seeds: NotRequired[list[Natural]]
    test_error: NotRequired[Percent]
    test_count: NotRequired[Natural]
    parameters: NotRequired[Natural]
    environment: NotRequired[list[Start]]


class DescribedRow(TypedDict):
    """What `configs.studies.base.row` says of a row of a study's table."""

    label: str
    group: str
    published: Percent | None
    published_text: str
    window: tuple[NotNegative, NotNegative] | None


class StudyRow(DescribedRow):
    """A row of the table of study.json, with the folder of each run, relative to the study's folder, by seed."""

    runs: dict[int, str]


Measure = Literal['final', 'median', 'window', 'protocol']
"""What a study's published errors are: errors at the end of training; medians of those; means over a window of epochs;
or errors of the protocol of the last test, such as ten crops of each picture."""


class Study(TypedDict):
    """study.json: what a report needs in addition to the runs and results."""

    study: str
    question: str
    about: str
    source: str
    measure: Measure
    changes: dict[str, Value]
    is_rehearsal: bool
    notes: list[str]
    rows: list[StudyRow]
    file: str


class Progress(TypedDict):
    """progress.json: how far a run is, and the training error of its last steps."""

    step: Natural
    end: Natural
    epoch: NotNegative
    train_error: Percent
