"""The published numbers for each config and for the rows of each study.

`configs/README.md` and the studies take their numbers from here. Tests compare docstrings and README.md with it.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """A published result.

    Attributes:
        error: the test error in % that our runs are compared with: a mean if there is one, otherwise the table's error.
        printed: what the source prints, if it is more than `error`.
        text: what the table of a study shows instead of `error`.
    """

    error: float | None = None
    printed: str = ''
    text: str = ''

    @property
    def cell(self) -> str:
        """The text in a table of configs."""
        return self.printed or ('none' if self.error is None else f'{self.error:.2f} %')


class Source(NamedTuple):
    """The source of the numbers with which a study is compared.

    Attributes:
        text: who published them, and where.
        measure: 'final' (an error at the end of training, or a mean of such errors), 'median' (the median of the final
            errors of several runs), 'window' (the mean over each row's window of epochs), or 'protocol' (the error by
            the protocol of the last test, such as ten crops of each picture).
        window: first and last epoch of the window.
    """

    text: str
    measure: str = 'final'
    window: tuple[float, float] | None = None


NOTHING = Published()


def _spread(error: float, mean: str) -> Published:
    """Returns a median of five runs, with their mean and standard deviation."""
    return Published(error, f'{error:.2f} % ({mean})', f'{error:.2f} ({mean})')


def _range(error: float, least: float, greatest: float) -> Published:
    return Published(error, f'{error:.2f} % ({least:.2f} to {greatest:.2f})')


def _accuracy(accuracy: float) -> Published:
    return Published(round(100 - accuracy, 2), f'{accuracy:.2f} %')


def _printed(text: str, of: str = '') -> Published:
    """Returns a result as the source prints it: '23.60 ± 0.12', or top-1 and top-5 errors, '22.85 / 6.71'."""
    return Published(float(text.split()[0]), f'{text} %{of}', text)


_CURVE = Published(printed='a curve, without a number')
_FAIL = Published(printed='fail', text='fail (> 20)')
_NOT_HERE = Published(printed='none at this depth')


def _other_recipe(error: float) -> Published:
    return Published(printed=f"none by this recipe (the Report's, another recipe: {error:.2f} %)")


CONFIGS: dict[str, Published] = {
    # He et al. 2015, Table 6 and Figure 6
    'resnet20_cifar10': Published(8.75),
    'resnet32_cifar10': Published(7.51),
    'resnet44_cifar10': Published(7.17),
    'resnet56_cifar10': Published(6.97),
    'resnet110_cifar10': Published(6.61, '6.43 % (the best of 5 runs; 6.61 ± 0.16)', '6.61 ± 0.16'),
    'resnet1202_cifar10': Published(7.93),
    **{f'plain{depth}_cifar10': _CURVE for depth in (20, 32, 44, 56)},
    'plain110_cifar10': Published(
        printed='"the error of plain-110 is higher than 60% and not displayed" (the caption)', text='above 60'
    ),
    'resnet20_cifar100': _other_recipe(33.06),
    'resnet56_cifar100': _other_recipe(29.88),
    'resnet110_cifar100': _other_recipe(28.49),
    **dict.fromkeys(('resnet20_digits', 'resnet18_imagenette', 'resnet18_folder', 'finetune_resnet50_folder'), NOTHING),
    # He et al. 2016, Table 1: medians of five runs; "fail" is above 20 %
    'shortcut_resnet110_cifar10:original': Published(6.61),
    'shortcut_resnet110_cifar10:scaling_0_1': _FAIL,
    'shortcut_resnet110_cifar10:scaling_0.5_1': _FAIL,
    'shortcut_resnet110_cifar10:scaling_0.5_0.5': Published(12.35),
    **{f'shortcut_resnet110_cifar10:exclusive_gating_{bias}': _FAIL for bias in range(0, -6, -1)},
    'shortcut_resnet110_cifar10:exclusive_gating_-6': Published(8.70),
    'shortcut_resnet110_cifar10:exclusive_gating_-7': Published(9.81),
    'shortcut_resnet110_cifar10:shortcut_only_gating_0': Published(12.86),
    'shortcut_resnet110_cifar10:shortcut_only_gating_-6': Published(6.91),
    'shortcut_resnet110_cifar10:conv': Published(12.22),
    'shortcut_resnet110_cifar10:dropout': _FAIL,
    # Table 2
    'order_resnet110_cifar10:original': Published(6.61),
    'order_resnet110_cifar10:bn_after_addition': Published(8.17),
    'order_resnet110_cifar10:relu_before_addition': Published(7.84),
    'order_resnet110_cifar10:relu_only_preactivation': Published(6.71),
    'order_resnet110_cifar10:full_preactivation': Published(6.37),
    'order_resnet164_cifar10:original': Published(5.93),
    'order_resnet164_cifar10:bn_after_addition': Published(6.50),
    'order_resnet164_cifar10:relu_before_addition': Published(6.14),
    'order_resnet164_cifar10:relu_only_preactivation': Published(5.91),
    'order_resnet164_cifar10:full_preactivation': Published(5.46),
    # Tables 3 and 4
    'one_layer_resnet110_cifar10:original': Published(9.90),
    'one_layer_resnet110_cifar10:full_preactivation': Published(8.91),
    'resnet164_cifar10': Published(5.93),
    'resnet1001_cifar10': Published(7.61),
    'resnet164_cifar100': Published(25.16),
    'resnet1001_cifar100': Published(27.82),
    **{f'preact_resnet{depth}_cifar10': _NOT_HERE for depth in (20, 56)},
    'preact_resnet110_cifar10': Published(6.37),
    'preact_resnet164_cifar10': Published(5.46),
    'preact_resnet1001_cifar10': _spread(4.92, '4.89 ± 0.14'),
    'preact_resnet1001_batch64_cifar10': _spread(4.62, '4.69 ± 0.20'),
    'preact_resnet164_cifar100': Published(24.33),
    'preact_resnet1001_cifar100': _spread(22.71, '22.68 ± 0.22'),
    # The Lab, which prints accuracies
    'lab_cifar10:resnet20': _accuracy(92.37),
    'lab_cifar10:resnet56': _accuracy(93.53),
    'lab_cifar10:resnet110': _accuracy(93.95),
    **{f'lab_cifar10:{family}{depth}': NOTHING for family in ('plain', 'preact_resnet') for depth in (20, 56, 110)},
    # The Report: means over epochs 90 to 350, least and greatest
    'report_cifar10:resnet20': _range(8.39, 8.22, 8.77),
    'report_cifar10:resnet56': _range(7.05, 6.90, 7.47),
    'report_cifar10:resnet110': _range(6.50, 6.36, 6.91),
    'report_cifar100:resnet20': _range(33.06, 32.53, 33.88),
    'report_cifar100:resnet56': _range(29.88, 29.28, 30.41),
    'report_cifar100:resnet110': _range(28.49, 28.31, 29.04),
    **{
        f'report_{data}:{network}': NOTHING
        for data in ('cifar10', 'cifar100')
        for network in ('resnet50', 'resnet62', 'plain20', 'plain56', 'plain110')
    },
    # Zagoruyko and Komodakis 2016, medians of five runs; kuangliu/pytorch-cifar
    **{
        f'wide_resnet_cifar10:{network}': Published(error)
        for network, error in {'40-4': 4.53, '16-8': 4.27, '28-10': 4.00, '28-10_dropout': 3.89}.items()
    },
    **{
        f'kuangliu_cifar10:resnet{depth}': Published(error, f'{error:.2f} % (accuracy {100 - error:.2f} %)')
        for depth, error in ((18, 6.98), (50, 6.38), (101, 6.25))
    },
    'kuangliu_cifar10:resnet18_cosine': NOTHING,
    # Other projects' own designs, and assignments' questions
    'scaled_cifar10': Published(9.30, '9.30 % (accuracy 90.70 %)'),
    'identity4_cifar10:2,2,2,2': NOTHING,
    'identity4_cifar10:4,5,6,3': Published(printed='8 points less', text='8 points less'),
    **{f'skips_resnet56_cifar10:{skips}': NOTHING for skips in ('none', '1', '2', '3')},
    **{f'stages_resnet56_cifar10:{stages}': NOTHING for stages in ('9,9,9', '5,9,13', '13,9,5', '7,13,7')},
    # He et al. 2015 on ImageNet, Tables 2 and 3: ten crops
    **{
        f'{name}_imagenet': _printed(text, ' (10 crops)')
        for name, text in {
            'plain18': '27.94', 'plain34': '28.54 / 10.02', 'resnet18': '27.88', 'resnet34': '25.03 / 7.76',
            'resnet34b': '24.52 / 7.46', 'resnet34c': '24.19 / 7.40', 'resnet50': '22.85 / 6.71',
            'resnet101': '21.75 / 6.05', 'resnet152': '21.43 / 5.71',
        }.items()
    },
    # He et al. 2016, Table 5: one crop of 320
    **{
        f'table5_imagenet:{name}': _printed(text)
        for name, text in {
            'resnet152': '21.3 / 5.5', 'preact_resnet152': '21.1 / 5.5', 'resnet200': '21.8 / 6.0',
            'preact_resnet200': '20.7 / 5.3', 'preact_resnet200_aspect': '20.1 / 4.8',
        }.items()
    },
    # Later recipes for ImageNet; for fb.resnet.torch one crop, and ten crops
    **{
        f'fb_imagenet:resnet{depth}': Published(one, f'{one:.2f} % ({ten:.2f})')
        for depth, one, ten in (
            (18, 30.43, 28.22), (34, 26.73, 24.76), (50, 24.01, 22.24),
            (101, 22.44, 21.08), (152, 22.16, 20.69), (200, 21.66, 20.15),
        )
    },
    'goyal_imagenet:256': _printed('23.60 ± 0.12'),
    **{f'goyal_imagenet:{batch}': _CURVE for batch in (512, 1024, 2048, 4096)},
    'goyal_imagenet:8192': _printed('23.74 ± 0.09'),
    'goyal_imagenet:8192_no_warmup': _printed('24.84 ± 0.37'),
    'nvidia_imagenet': Published(22.88, '22.88 % (accuracy 77.12 ± 0.11 %)'),
    'flax_imagenet': Published(23.28, '23.28 % (accuracy 76.72 %)'),
    **{
        f'torchvision_imagenet:resnet{depth}': _accuracy(accuracy)
        for depth, accuracy in ((18, 69.76), (34, 73.31), (50, 76.13), (101, 77.37), (152, 78.31))
    },
    **{
        f'torchvision_imagenet:{name}': _accuracy(accuracy)
        for name, accuracy in {
            'wide_resnet50_2': 78.47, 'wide_resnet101_2': 78.85, 'resnext50_32x4d': 77.62, 'resnext101_32x8d': 79.31,
        }.items()
    },
    # Our choice
    **{
        f'imagenette:resnet{depth}_{size}{length}': NOTHING
        for depth in (18, 50) for size in (128, 160) for length in ('', '_5_epochs')
    },
}  # fmt: skip
"""By the name of the config, with its argument if it has one."""

ROWS: dict[str, dict[str, Published]] = {
    'learning_rate': {
        f'{data}:{factor}': Published(error)
        for data, errors in {
            'cifar10': (17.64, 9.31, 8.20, 8.96, 9.40, 10.98),
            'cifar100': (36.44, 33.62, 32.91, 33.94, 35.59, 36.61),
        }.items()
        for factor, error in zip(('10', '5', '2', '1/2', '1/5', '1/10'), errors, strict=True)
    },
    'epochs': {
        'cifar10:20:1': Published(8.45),
        'cifar10:20:2': Published(7.8),
        'cifar10:56:1': Published(7.3),
        'cifar10:56:2': Published(6.1),
    },
    'data_and_batch': {
        'cifar10:all': Published(7.1),
        'cifar10:half': Published(9),
        'cifar100:all': Published(30),
        'cifar100:a fifth': Published(51),
    },
    'near_56': {'56': Published(7.3)},
    'table4_2015': {
        '34b': _printed('21.84 / 5.71'),
        '34c': _printed('21.53 / 5.60'),
        '50': _printed('20.74 / 5.25'),
        '101': _printed('19.87 / 4.60'),
        '152': _printed('19.38 / 4.49'),
    },
}
"""By study and row, for rows that change their config."""

_MEDIANS = 'medians of 5 runs'
STUDIES: dict[str, Source] = {
    'figure6_2015': Source('He et al. 2015, Figure 6 and Table 6'),
    'table6_2015': Source('He et al. 2015, Table 6'),
    'table1_2016': Source(f'He et al. 2016, Table 1, {_MEDIANS}', 'median'),
    'table2_2016': Source(f'He et al. 2016, Table 2, {_MEDIANS}', 'median'),
    'table3_2016': Source(f'He et al. 2016, Table 3, {_MEDIANS}', 'median'),
    'table4_2016': Source(f'He et al. 2016, Table 4, {_MEDIANS}', 'median'),
    'depth': Source('the Report, mean over epochs 90 to 350', 'window', (90, 350)),
    'learning_rate': Source('the Report, mean over epochs 90 to 160', 'window', (90, 160)),
    'epochs': Source('the Report, at the end of training'),
    'data_and_batch': Source('the Report, at the end of training'),
    'near_56': Source('the Report, at the end of training'),
    'preactivation': Source('the Lab, at the end of training'),
    'scaled': Source('Scaled, at the end of training'),
    'identity4': Source('Identity4, the difference of the two'),
    'table2_2015': Source('He et al. 2015, Table 2, 10 crops', 'protocol'),
    'table3_2015': Source('He et al. 2015, Table 3, 10 crops', 'protocol'),
    'table4_2015': Source('He et al. 2015, Table 4, multi-scale', 'protocol'),
    'table5_2016': Source('He et al. 2016, Table 5, one crop'),
    'batch_and_rate': Source(
        'Goyal et al. 2017, Tables 1 and 2, means of 5 runs; each the median of its last 5 epochs', 'window', (86, 90)
    ),
    'skips': Source('none'),
    'stages': Source('none'),
}
"""By study."""
