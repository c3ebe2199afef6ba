"""What trained networks tell. Each inspection is a module: it measures networks, and draws what it finds.

The first line of its docstring says what it measures; then it names its source. Its functions are:

- `add_arguments(parser)`: adds its own options.
- `measure(options)`: opens the networks that the parsed options name, with `networks`; returns numbers, as for JSON.
- `draw(measured)`: returns charts of these numbers, of Altair, which are drawn below each other.
- `summarize(measured)`: yields lines for the terminal.

As in those of commands, only functions import what needs JAX.
"""

INSPECTIONS = ('responses', 'lesions', 'calibration', 'agreement', 'surface', 'path')
"""The names of the modules. To add one, write a module and add its name here."""
