"""What trained networks tell. Each kind of inspection is a module: it measures networks, and draws one chart.

A kind's docstring says in its first line what it measures, and then names its source. Its functions are:

- `add_arguments(parser)`: adds its own options.
- `measure(options)`: opens the networks that the parsed options name, with `networks`; returns numbers, as for JSON.
- `chart(measured)`: returns the chart of these numbers, of Altair.
- `summarize(measured)`: yields lines for the terminal.

Like those of commands, these modules import slow ones in their functions.
"""

KINDS = ('responses', 'lesions', 'calibration', 'agreement', 'surface', 'path')
"""The kinds. To add one, write a module and add its name here."""
