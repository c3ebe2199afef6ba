"""What a platform may ask for. The defaults are the plain network and a compiler without options."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from jax_resnet import models
from jax_resnet.backend import compilation_cache, huge_pages


class Form:
    """How a program runs a network, and holds its arrays meanwhile. This one: as states and files have both.

    Attributes:
        net: the network as it runs.
    """

    def __init__(self, net: Any) -> None:
        self.net = net

    def check(self, batch_size: int, size: int, devices: int) -> None:
        """Raises ValueError where it cannot train by batches of such images, size x size pixels, on so many devices."""

    def enter(self, state: Any) -> Any:
        """From a state, or any tree that has the network's names in it, to what the program holds."""
        return state

    def leave(self, state: Any) -> Any:
        """The inverse of `enter`."""
        return state

    def unpack(self, held: Any) -> Any:
        """From what the program holds of a tree of arrays to the tree that the network knows."""
        return held

    def pack(self, tree: Any) -> Any:
        """The inverse of `unpack`."""
        return tree

    def variables(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The network's variables, from a state's."""
        return {name: self.unpack(self.enter(tree)) for name, tree in saved.items()}


@dataclass(frozen=True)
class Backend:
    """How one platform runs a network.

    Attributes:
        network: attributes of `models.ResNet`, for the network that a state is of.
        form: how programs run that network.
        compiler_options: of programs that run many times, for `jax.jit`.
        one_call_options: of programs that run once, such as initialization.
        keeps_programs: whether compiled programs can be kept for the next start.
        remark: a line for the log, where the platform has something to say.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {'stacked': True})
    form: Callable[[models.ResNet], Form] = Form
    compiler_options: Mapping[str, Any] = field(default_factory=dict)
    one_call_options: Mapping[str, Any] = field(default_factory=dict)
    keeps_programs: bool = True
    remark: str = ''

    def jit(self, function: Callable, *, runs_once: bool = False, **options: Any) -> Any:
        """`jax.jit` with this platform's compiler options; `options` are those of `jax.jit`."""
        chosen = self.one_call_options if runs_once else self.compiler_options
        return jax.jit(function, compiler_options=dict(chosen), **options)

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Meanwhile, the process is set up for the compiler, rather than for the program."""
        with huge_pages.suspended(), contextlib.nullcontext() if self.keeps_programs else compilation_cache.off():
            yield
