"""What trained networks tell. Each kind of inspection is a module: it measures networks, and draws one chart.

The first line of a kind's docstring says what it measures. Its functions are:

- `add_arguments(parser)`: adds its own options.
- `measure(networks, options)`: takes the `networks.Network`s and the parsed options; returns numbers, as for JSON.
- `chart(measured)`: returns the chart of these numbers, of Altair.
- `summarize(measured)`: yields lines for the terminal.

Like those of commands, these modules import slow ones in their functions.
"""

KINDS = ('responses',)
"""The kinds. To add one, write a module and add its name here."""
