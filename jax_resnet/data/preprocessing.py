"""Converts pixels to the network's input on the device: normalization, and random or fixed views.

All functions are pure functions of arrays and keys, and run inside the compiled step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jax_resnet.config.fields import Dataset
from jax_resnet.jax_options import independent
from jax_resnet.own_parts import choose, errors


class Normalization(NamedTuple):
    """(image / 255 - mean) / std; `mean` and `std` are float32, [height, width, channels] or [channels]."""

    mean: np.ndarray
    std: np.ndarray

    def __call__(self, images: jax.Array) -> jax.Array:
        """Normalizes uint8 images [batch, height, width, channels] to float32."""
        return self.apply_to_floats(images.astype(jnp.float32) / 255)

    @independent
    def apply_to_floats(self, images: jax.Array) -> jax.Array:
        """Normalizes images whose pixels are floating-point numbers from 0 to 1."""
        return (images - self.mean) / self.std

    def by_channel(self) -> 'Normalization':
        """Replaces a mean image by its mean in each channel, so that images may have any size."""
        return self if self.mean.ndim < 3 else Normalization(self.mean.mean((0, 1)), self.std)


def pixel_mean(images: np.ndarray) -> Normalization:
    """Subtracts the mean image of `images`, the training split (He et al. 2015, section 4.2)."""
    return Normalization((images.mean(0, dtype=np.float64) / 255).astype(np.float32), np.ones((), np.float32))


def channel(mean: ArrayLike, std: ArrayLike) -> Normalization:
    """Subtracts each channel's mean and divides by its standard deviation, given for pixels in [0, 1]."""
    return Normalization(np.asarray(mean, np.float32), np.asarray(std, np.float32))


def normalization(dataset: Dataset, make_pixel_mean: Callable[[], Normalization]) -> Normalization:
    """The normalization that a config's group `dataset` selects. For 'pixel_mean', `make_pixel_mean` returns it."""
    if dataset.normalization == 'pixel_mean':
        return make_pixel_mean()
    if dataset.normalization == 'channel':
        return channel(dataset.channel_mean, dataset.channel_std)
    return channel(0.5, 0.5)  # 'half': pixels from -1 to 1


class Augmentation(NamedTuple):
    """A random crop of the padded image, and a random flip (He et al. 2015, section 4.2).

    Attributes:
        pad: pixels added on each side.
        pad_with: 'zero' pads after normalization, like fb.resnet.torch (zero is then the mean); 'black' pads before
            normalization, like torchvision's transforms; 'reflection' pads with the mirrored image.
        crop: height and width of the crop; 0 is the image's own size.
        flip: mirror left to right with probability 1/2.
    """

    pad: int = 4
    pad_with: str = 'zero'
    crop: int = 0
    flip: bool = True

    @independent
    def __call__(self, key: jax.Array, images: jax.Array, normalize: Normalization) -> jax.Array:
        """Maps uint8 images [batch, height, width, channels] to random views, float32 [batch, crop, crop, channels]."""
        if self.pad_with == 'black':
            return normalize(self._random_view(key, images))
        return self._random_view(key, normalize(images))

    def _random_view(self, key: jax.Array, x: jax.Array) -> jax.Array:
        crop_key, flip_key = jax.random.split(key)
        n, height, width, channels = x.shape
        size = (self.crop or height, self.crop or width, channels)
        mode = 'reflect' if self.pad_with == 'reflection' else 'constant'
        x = jnp.pad(x, ((0, 0), (self.pad, self.pad), (self.pad, self.pad), (0, 0)), mode)
        slack = jnp.array(x.shape[1:3]) - jnp.array(size[:2])
        offsets = jax.random.randint(crop_key, (n, 2), 0, slack + 1)
        x = jax.vmap(lambda image, offset: jax.lax.dynamic_slice(image, (offset[0], offset[1], 0), size))(x, offsets)
        if self.flip:
            x = jnp.where(jax.random.bernoulli(flip_key, shape=(n, 1, 1, 1)), x[:, :, ::-1], x)
        return x


EIGENVALUES = np.array([0.2175, 0.0188, 0.0045], np.float32)
EIGENVECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], np.float32
)
"""Principal components of the colours of ImageNet's pixels (0 to 1), from fb.resnet.torch. Columns are vectors."""

GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in a grey value."""


class ColourAugmentation(NamedTuple):
    """Random colours and a random flip for pictures that are already cropped.

    Attributes:
        flip: mirror left to right with probability 1/2.
        jitter: brightness, contrast and saturation are each multiplied by a number from 1 - jitter to 1 + jitter
            (fb.resnet.torch: 0.4).
        lighting: standard deviation of the random factors with which the colours' principal components are added
            (Krizhevsky et al. 2012, section 4.1: 0.1).
    """

    flip: bool = True
    jitter: float = 0.0
    lighting: float = 0.0

    @independent
    def __call__(self, keys: jax.Array, images: jax.Array, normalize: Normalization) -> jax.Array:
        """Maps uint8 images [batch, height, width, 3] to random float32 views. `keys` [batch] has a key per image."""

        def view(key: jax.Array, image: jax.Array) -> jax.Array:
            jitter_key, lighting_key, flip_key = jax.random.split(key, 3)
            x = image.astype(jnp.float32) / 255
            if self.jitter:
                x = jitter(x, *jax.random.uniform(jitter_key, (3,), minval=1 - self.jitter, maxval=1 + self.jitter))
            if self.lighting:
                x += EIGENVECTORS @ (EIGENVALUES * self.lighting * jax.random.normal(lighting_key, (3,)))
            x = normalize.apply_to_floats(x)
            return jnp.where(jax.random.bernoulli(flip_key), x[:, ::-1], x) if self.flip else x

        return jax.vmap(view)(keys, images)


def jitter(x: jax.Array, brightness: jax.Array, contrast: jax.Array, saturation: jax.Array) -> jax.Array:
    """Multiplies brightness, contrast and saturation of an image, like fb.resnet.torch.

    fb.resnet.torch draws a random order of the three. As values are not clipped between them, the order has no effect.

    Args:
        x: [height, width, 3].
        brightness, contrast, saturation: scalar factors, [].
    """
    x = x * brightness
    mean_grey = (x @ GREY).mean()
    x = mean_grey + contrast * (x - mean_grey)
    grey = (x @ GREY)[..., None]
    return grey + saturation * (x - grey)


Augment = Callable[[jax.Array, jax.Array, Normalization], jax.Array]
"""The type of the augmentations: a key, or one for each image, uint8 images, and a normalization give views."""


def with_own(views: Any, path: str | None, shape: tuple[int, int, int]) -> Augment:
    """Adds the own function of `config.dataset.augmentation` to an augmentation, whose views have this shape.

    Raises:
        ConfigError: the function cannot be imported, fails, or does not return such a view.
    """
    if path is None:
        return views  # type: ignore[no-any-return]
    own: Callable[..., jax.Array] = choose('config.dataset.augmentation', path, {})
    with errors('config.dataset.augmentation', path):
        found = jax.eval_shape(own, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
        if (found.shape, found.dtype) != (shape, jnp.float32):
            raise TypeError(f'must return float32 {list(shape)}; it returns {found.dtype} {list(found.shape)}')

    def augment(key: jax.Array, images: jax.Array, normalize: Normalization) -> jax.Array:
        keys = jax.random.split(key, len(images)) if key.ndim == 0 else key
        keys = jax.vmap(lambda key: jax.random.fold_in(key, 3))(keys)  # the views use the keys 0 to 2
        return jax.vmap(own)(keys, views(key, images, normalize))

    return augment


class Preprocess(NamedTuple):
    """Converts images to the network's input in evaluation.

    It normalizes, and takes the central `crop` x `crop` pixels (0: the whole image).
    """

    normalize: Normalization
    crop: int = 0

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps uint8 images [..., height, width, channels] to float32."""
        x = self.normalize(images)
        if self.crop:
            top, left = ((size - self.crop) // 2 for size in x.shape[-3:-1])
            x = x[..., top : top + self.crop, left : left + self.crop, :]
        return x
