"""One table, written three ways; what it says cannot become anything else there."""

from jax_resnet.report.table import Links, Table, escaped

EVIL = '<img src=x onerror=alert(1)>|[x](javascript:alert(1))\n# y'


def test_a_table_is_written_for_a_terminal_as_markdown_and_as_csv() -> None:
    table = Table(
        ['', 'error'], [['ResNet-20', 8.75], ['plain', Links('2 of 2', (('0', 'runs/a/'), ('1', 'runs/b/')))]]
    )
    assert [line.split() for line in table.text().splitlines()] == [
        ['error'],
        ['ResNet-20', '8.75'],
        ['plain', '2', 'of', '2'],
    ]
    head, rule, first, second = table.markdown().splitlines()
    assert (head.count('|'), rule.count(':')) == (3, 2) and first.split() == ['|', 'ResNet-20', '|', '8.75', '|']
    assert '2 of 2: [0](runs/a/), [1](runs/b/)' in second
    assert table.csv() == ',error\nResNet-20,8.75\nplain,2 of 2\n'


def test_a_table_without_rows_is_its_heads() -> None:
    table = Table(['network', 'error'], [])
    assert table.text().split() == ['network', 'error'] and table.csv() == 'network,error\n'


def test_names_stay_text_in_markdown() -> None:
    head, rule, row = Table(['', 'a|b'], [[EVIL, 'c|d']]).markdown().splitlines()
    assert '<' not in row and r'\[x\](javascript' in row and r'\n# y' in row
    assert row.replace(r'\|', '').count('|') == head.replace(r'\|', '').count('|') == 3
    assert escaped('# a') == r'\# a' and escaped('- a') == r'\- a' and escaped('-0.5') == '-0.5'


def test_a_terminal_gets_no_control_characters() -> None:
    text = Table([''], [['a\x1b[31mb\nc']]).text()
    assert '\x1b' not in text and r'a\x1b[31mb\nc' in text
