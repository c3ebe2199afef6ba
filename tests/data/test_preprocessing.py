import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet.data import preprocessing
from jax_resnet.data.preprocessing import Augmentation, Preprocess

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
IDENTITY = preprocessing.channel((0, 0, 0), (1, 1, 1))


def test_normalizations() -> None:
    mean = preprocessing.pixel_mean(IMAGES)
    assert mean.mean.shape == (32, 32, 3)
    np.testing.assert_allclose(mean(jnp.asarray(IMAGES)).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(mean(jnp.asarray(IMAGES)), IMAGES / 255 - (IMAGES / 255).mean(0), atol=1e-6)
    channel = preprocessing.channel((0.5, 0.4, 0.3), (0.2, 0.1, 0.3))
    expected = (IMAGES / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.1, 0.3]
    np.testing.assert_allclose(channel(jnp.asarray(IMAGES)), expected, atol=1e-5)
    extremes = preprocessing.channel(0.5, 0.5)(jnp.array([[[[0, 255, 51]]]], jnp.uint8))
    np.testing.assert_allclose(extremes, [[[[-1, 1, -0.6]]]], atol=1e-6)


def views(n: int, **options) -> np.ndarray:
    """Crops of an image whose pixel at (i, j) says so: channel 0 is i + 1, channel 1 is j + 1 (0 is padding)."""
    rows, columns = np.meshgrid(np.arange(1, 33), np.arange(1, 33), indexing='ij')
    image = np.stack([rows, columns, rows * 0 + 1], -1).astype(np.uint8)
    x = Augmentation(**options)(jax.random.key(0), jnp.asarray(np.repeat(image[None], n, 0)), IDENTITY)
    return np.round(np.asarray(x) * 255).astype(int)


def test_offsets_0_to_8_are_all_seen_uniformly() -> None:
    n = 6_000
    x = views(n, pad=4, flip=False)
    assert x.shape == (n, 32, 32, 3)
    for axis in (0, 1):
        centre = x[:, 16, 16, axis]  # 17 + offset - 4
        offsets, counts = np.unique(centre - 13, return_counts=True)
        assert offsets.tolist() == list(range(9))
        chi_squared = ((counts - n / 9) ** 2 / (n / 9)).sum()
        assert chi_squared < 26.1  # 99.9 % of uniform draws are below, with 8 degrees of freedom
    corner = x[:, 0, 0, 2] == 0  # padding is seen unless both offsets are 4 or more
    assert corner.mean() == pytest.approx(1 - (5 / 9) ** 2, abs=0.02)
    both = np.unique(x[:, 16, 16, :2], axis=0)
    assert len(both) == 81  # rows and columns are drawn apart


def test_half_are_flipped_left_to_right() -> None:
    x = views(4000, pad=0)
    flipped = x[:, 0, 0, 1] == 32
    assert flipped.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(x[flipped][:, :, ::-1], np.broadcast_to(x[~flipped][0], x[flipped].shape))
    assert (x[:, 0, 0, 0] == 1).all()


def test_zero_padding_is_the_mean_and_black_padding_is_black() -> None:
    normalize = preprocessing.channel((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    white = jnp.full((500, 8, 8, 3), 255, jnp.uint8)
    for pad_with, border in [('zero', 0), ('black', -2), ('reflection', 2)]:
        x = Augmentation(pad=4, pad_with=pad_with)(jax.random.key(0), white, normalize)
        assert set(np.unique(x).tolist()) == {float(border), 2.0}


def test_pixel_mean_is_subtracted_before_the_crop() -> None:
    normalize = preprocessing.pixel_mean(IMAGES[:1])
    x = Augmentation(pad=4)(jax.random.key(0), jnp.asarray(np.repeat(IMAGES[:1], 50, 0)), normalize)
    np.testing.assert_allclose(x, 0, atol=1e-6)


def test_crop_to_28_and_the_views_for_evaluation() -> None:
    x = views(500, pad=0, crop=28, flip=False)
    assert x.shape == (500, 28, 28, 3)
    assert set(x[:, 0, 0, 0].tolist()) == {1, 2, 3, 4, 5}
    whole = Preprocess(IDENTITY)(jnp.asarray(IMAGES))
    np.testing.assert_allclose(whole, IMAGES / 255, atol=1e-6)
    np.testing.assert_allclose(Preprocess(IDENTITY, 28)(jnp.asarray(IMAGES)), whole[:, 2:30, 2:30])


def of_pictures(images: np.ndarray, **fields: float) -> np.ndarray:
    """Views in [0, 1] by ColourAugmentation, each image with a key of its own."""
    plain = preprocessing.channel((0, 0, 0), (1, 1, 1))
    keys = jax.random.split(jax.random.key(1), len(images))
    return np.asarray(preprocessing.ColourAugmentation(**{'flip': False, **fields})(keys, images, plain))


def test_pictures_without_colours_are_as_they_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    np.testing.assert_allclose(of_pictures(images), images / 255, atol=1e-6)


def test_half_of_the_pictures_are_mirrored() -> None:
    images = np.broadcast_to(np.arange(4, dtype=np.uint8)[:, None], (2000, 3, 4, 3))
    left = np.round(255 * of_pictures(images, flip=True)[:, 0, 0, 0])
    assert {*left} == {0, 3}
    assert 0.45 < (left == 0).mean() < 0.55


def test_lighting_adds_a_colour_along_the_principal_components() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4000, 2, 2, 3), dtype=np.uint8)
    added = of_pictures(images, lighting=0.1) - images.astype(np.float32) / 255
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1], added.shape), atol=1e-6)  # one for a picture
    shares = np.linalg.solve(preprocessing.EIGENVECTORS.astype(np.float64), added[:, 0, 0].T)
    np.testing.assert_allclose(shares.std(1), 0.1 * preprocessing.EIGENVALUES, rtol=0.1)
    assert np.abs(np.corrcoef(shares) - np.eye(3)).max() < 0.1


def test_brightness_alone_changes_a_grey_picture() -> None:
    """Contrast and saturation blend it with itself."""
    factors = of_pictures(np.full((4000, 3, 3, 3), 51, np.uint8), jitter=0.4)[:, 0, 0, 0] / 0.2
    assert 0.6 <= factors.min() < 0.61 and 1.39 < factors.max() <= 1.4
    counts, _ = np.histogram(factors, 8, (0.6, 1.4))
    assert (np.abs(counts - 500) < 110).all()  # five standard deviations


def test_brightness_contrast_and_saturation_are_fb_resnet_torchs_in_any_order() -> None:
    x = np.random.default_rng(0).random((5, 4, 3))

    def grey(x: np.ndarray) -> np.ndarray:
        return np.repeat((0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2])[..., None], 3, -1)

    targets = {0.7: np.zeros_like, 1.3: lambda x: np.full_like(x, grey(x).mean()), 0.6: grey}
    found = preprocessing.jitter(jnp.asarray(x), *map(jnp.float32, targets))
    for order in itertools.permutations(targets):
        wanted = x
        for factor in order:  # the source's: blend(image, target, 1 - factor)
            wanted = factor * wanted + (1 - factor) * targets[factor](wanted)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
