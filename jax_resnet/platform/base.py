"""How a platform runs a network. The defaults are the plain network and no compiler options."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jax

from jax_resnet import models
from jax_resnet.errors import reason
from jax_resnet.platform import compilation_cache

_log = logging.getLogger(__name__)

MOST_PROGRAMS = 64
"""Maximum number of compiled programs that a process keeps, so that another run with an equal program can use them."""

_programs: dict[tuple, Any] = {}


@dataclass(frozen=True)
class Backend:
    """How one platform runs a network.

    Attributes:
        network: attributes of `models.ResNet` for the network of training states.
        program_network: returns the network that programs run, from that of training states. If it is not stacked,
            `models.unstack` gives its variables.
        flat_arrays: whether training programs join the network's arrays to flat ones, see `flat`.
        compiler_options: compiler options of programs that run many times.
        one_call_options: compiler options of programs that run once, such as initialization.
        keeps_programs: whether compiled programs can be cached for the next start.
        used: whether this start uses oneDNN, CUDA graphs and so on. Results depend on it: `environment.json` has it.
        remark: a string for the log, or ''.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {'stacked': True})
    program_network: Callable[[models.ResNet], models.ResNet] = lambda net: net
    flat_arrays: bool = False
    compiler_options: Mapping[str, Any] = field(default_factory=dict)
    one_call_options: Mapping[str, Any] = field(default_factory=dict)
    keeps_programs: bool = True
    used: Mapping[str, bool] = field(default_factory=dict)
    remark: str = ''

    def compile(self, function: Callable, *arguments: Any, runs_once: bool = False, **options: Any) -> Any:
        """Compiles a function for the shapes of these arguments. In one process, equal programs are compiled once.

        Args:
            function: the function.
            arguments: its arguments, or their shapes as `jax.ShapeDtypeStruct`.
            runs_once: whether the program runs only once.
            options: further arguments of `jax.jit`.
        """
        compiler_options = dict(self.one_call_options if runs_once else self.compiler_options)
        with contextlib.nullcontext() if self.keeps_programs else compilation_cache.off():
            lowered = jax.jit(function, compiler_options=compiler_options, **options).lower(*arguments)
            about = lowered.as_text(), lowered.in_tree, lowered.out_tree, sorted(compiler_options.items())
            key = options.get('out_shardings'), sha256('\n'.join(map(str, about)).encode()).digest()
            if key not in _programs:
                if len(_programs) == MOST_PROGRAMS:
                    _programs.pop(next(iter(_programs)))
                _programs[key] = lowered.compile()
            return _programs[key]


def works(subject: str, probe: Callable[[], bool]) -> bool:
    """Whether a probe returns True. It returns False, or fails, if something does not work here.

    XLA fails if it does not know a compiler option. After another failure, a warning gives the reason.
    """
    try:
        return probe()
    except Exception as e:
        if 'No such compile option' not in str(e):
            _log.warning('%s will not be used, as a test of it failed: %s', subject, reason(e))
        return False
