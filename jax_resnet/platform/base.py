"""How a platform runs a network. The defaults are the plain network and no compiler options."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jax

from jax_resnet import models
from jax_resnet.platform import compilation_cache, huge_pages

MOST_PROGRAMS = 64
"""Maximum number of compiled programs that a process keeps, so that another run with an equal program can use them."""

_programs: dict[tuple, Any] = {}


class Form:
    """How a program runs a network, and how it packs the network's arrays while it runs.

    This class packs nothing: the program has the same network and the same arrays as training states and checkpoints.

    Attributes:
        net: the network that the program runs.
    """

    def __init__(self, net: models.ResNet) -> None:
        self.net = net

    def pack_state(self, state: Any) -> Any:
        """Packs a training state, or any other tree that has trees of the network's arrays as parts."""
        return state

    def unpack_state(self, state: Any) -> Any:
        """The inverse of `pack_state`."""
        return state

    def unpack(self, packed: Any) -> Any:
        """Returns the tree that `net.apply` takes, from packed arrays."""
        return packed

    def pack(self, tree: Any) -> Any:
        """The inverse of `unpack`."""
        return tree

    def variables(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Returns variables for `net.apply`, from the variables of a training state."""
        return {name: self.unpack(self.pack_state(tree)) for name, tree in saved.items()}


@dataclass(frozen=True)
class Backend:
    """How one platform runs a network.

    Attributes:
        network: attributes of `models.ResNet` for the network of training states.
        form: returns the form in which programs run this network.
        compiler_options: compiler options of programs that run many times.
        one_call_options: compiler options of programs that run once, such as initialization.
        keeps_programs: whether compiled programs can be cached for the next start.
        remark: text for the log, or ''.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {'stacked': True})
    form: Callable[[models.ResNet], Form] = Form
    compiler_options: Mapping[str, Any] = field(default_factory=dict)
    one_call_options: Mapping[str, Any] = field(default_factory=dict)
    keeps_programs: bool = True
    remark: str = ''

    def jit(self, function: Callable, *, runs_once: bool = False, **options: Any) -> Any:
        """Calls `jax.jit` with this platform's compiler options. `options` are further arguments of `jax.jit`."""
        chosen = self.one_call_options if runs_once else self.compiler_options
        return jax.jit(function, compiler_options=dict(chosen), **options)

    def compile(self, function: Callable, *arguments: Any, runs_once: bool = False, **options: Any) -> Any:
        """Compiles a function for the shapes of these arguments. In one process, equal programs are compiled once.

        Args:
            function: the function.
            arguments: its arguments, or their shapes as `jax.ShapeDtypeStruct`.
            runs_once: whether the program runs only once.
            options: further arguments of `jax.jit`.
        """
        with self.compiling():
            lowered = self.jit(function, runs_once=runs_once, **options).lower(*arguments)
            compiler_options = self.one_call_options if runs_once else self.compiler_options
            about = lowered.as_text(), lowered.in_tree, lowered.out_tree, sorted(compiler_options.items())
            key = options.get('out_shardings'), sha256('\n'.join(map(str, about)).encode()).digest()
            if key not in _programs:
                if len(_programs) == MOST_PROGRAMS:
                    _programs.pop(next(iter(_programs)))
                _programs[key] = lowered.compile()
            return _programs[key]

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """A context for compiling: without huge pages, and without the cache if programs cannot be cached."""
        cache = contextlib.nullcontext() if self.keeps_programs else compilation_cache.off()
        with huge_pages.suspended(), cache:
            yield
