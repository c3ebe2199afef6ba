"""What a platform may ask for. The defaults are the plain network and a compiler without options."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax

from jax_resnet.backend import huge_pages


@dataclass(frozen=True)
class Backend:
    """How one platform runs a network.

    Attributes:
        network: attributes of `models.ResNet` with which training runs a network.
        compiler_options: of programs that run many times, for `jax.jit`.
        one_call_options: of programs that run once, such as initialization.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {'stacked': True})
    compiler_options: Mapping[str, Any] = field(default_factory=dict)
    one_call_options: Mapping[str, Any] = field(default_factory=dict)

    def jit(self, function: Callable, *, runs_once: bool = False, **options: Any) -> Any:
        """`jax.jit` with this platform's compiler options; `options` are those of `jax.jit`."""
        chosen = self.one_call_options if runs_once else self.compiler_options
        return jax.jit(function, compiler_options=dict(chosen), **options)

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Meanwhile, the process is set up for the compiler, rather than for the program."""
        with huge_pages.suspended():
            yield
