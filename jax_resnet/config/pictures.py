"""Checks that the config's fields for pictures are consistent."""

from jax_resnet.config.fields import Dataset, Pictures
from jax_resnet.errors import ConfigError


def check_pictures(dataset: Dataset, pictures: Pictures) -> None:
    """Raises ConfigError if a crop is larger than the resized pictures, or a smallest value is above its largest.

    Args:
        dataset, pictures: groups of a config; their fields have been checked one by one.
    """
    crop, test_crop = dataset.crop, dataset.test_crop or dataset.crop
    if not crop:
        raise ConfigError('config.dataset.crop=0: must be the height and width of a view, such as 224')
    if dataset.pad:
        raise ConfigError(f'config.dataset.pad={dataset.pad}: must be 0 for pictures, which are not padded')
    least, most = pictures.shorter_side
    if pictures.view == 'scale' and not crop <= least <= most:
        raise ConfigError(
            f'config.pictures.shorter_side={(least, most)}: must be two lengths, the smaller one first, and at least '
            f'config.dataset.crop={crop}'
        )
    for name in ('area', 'aspect_ratio'):
        least, most = getattr(pictures, name)
        if least > most:
            raise ConfigError(
                f'config.pictures.{name}={(least, most)}: must be the smallest and then the largest value'
            )
    test_field = 'test_crop' if dataset.test_crop else 'crop'
    for name, size in ((test_field, test_crop), *([('crop', crop)] if pictures.view == 'centre' else [])):
        if size > pictures.test_shorter_side:
            raise ConfigError(
                f'config.pictures.test_shorter_side={pictures.test_shorter_side}: must be at least '
                f'config.dataset.{name}={size}'
            )
    if dataset.normalization == 'pixel_mean' and crop != test_crop:
        raise ConfigError(f"config.dataset.test_crop={test_crop}: must be crop={crop} with normalization='pixel_mean'")
