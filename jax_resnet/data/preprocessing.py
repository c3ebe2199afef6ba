"""From stored pixels to the network's input, on the device: normalization, and random or fixed views.

Everything here is a pure function of arrays and keys, and runs inside the compiled step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike


class Normalization(NamedTuple):
    """(image / 255 - mean) / std; `mean` and `std` are float32, [height, width, channels] or [channels]."""

    mean: np.ndarray
    std: np.ndarray

    def __call__(self, images: jax.Array) -> jax.Array:
        """float32 images of uint8 images [batch, height, width, channels]."""
        return (images.astype(jnp.float32) / 255 - self.mean) / self.std


def pixel_mean(images: np.ndarray) -> Normalization:
    """Subtracts the mean image of `images`, the training split (He et al. 2015, section 4.2)."""
    mean = images.mean(0, dtype=np.float64) / 255
    return Normalization(mean.astype(np.float32), np.ones((), np.float32))


def channel(mean: ArrayLike, std: ArrayLike) -> Normalization:
    """Subtracts each channel's mean and divides by its standard deviation, given for pixels in [0, 1]."""
    return Normalization(np.asarray(mean, np.float32), np.asarray(std, np.float32))


def half() -> Normalization:
    """Maps pixels to [-1, 1]: mean 0.5, standard deviation 0.5."""
    return channel(0.5, 0.5)


class Augmentation(NamedTuple):
    """A random crop of the padded image, and a flip (He et al. 2015, section 4.2).

    Attributes:
        pad: pixels added on each side.
        pad_with: 'zero' pads after normalization, as fb.resnet.torch does (with the mean subtracted, zero
            is the mean); 'black' pads before it, as torchvision's transforms do.
        crop: height and width of the crop; 0 is the image's own.
        flip: mirror left to right with probability 1/2.
    """

    pad: int = 4
    pad_with: str = 'zero'
    crop: int = 0
    flip: bool = True

    def __call__(self, key: jax.Array, images: jax.Array, normalize: Normalization) -> jax.Array:
        """Random views, float32 [batch, crop, crop, channels], of uint8 images [batch, height, width, channels]."""
        if self.pad_with == 'black':
            return normalize(self._random_view(key, images))
        return self._random_view(key, normalize(images))

    def _random_view(self, key: jax.Array, x: jax.Array) -> jax.Array:
        crop_key, flip_key = jax.random.split(key)
        n, height, width, channels = x.shape
        size = (self.crop or height, self.crop or width, channels)
        x = jnp.pad(x, ((0, 0), (self.pad, self.pad), (self.pad, self.pad), (0, 0)))
        slack = jnp.array(x.shape[1:3]) - jnp.array(size[:2])
        offsets = jax.random.randint(crop_key, (n, 2), 0, slack + 1)
        x = jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0), size))(x, offsets)
        if self.flip:
            x = jnp.where(jax.random.bernoulli(flip_key, shape=(n, 1, 1, 1)), x[:, :, ::-1], x)
        return x


class CentreView(NamedTuple):
    """The one view for evaluation: normalized, and cut to the central `crop` x `crop` pixels (0: whole)."""

    normalize: Normalization
    crop: int = 0

    def __call__(self, images: jax.Array) -> jax.Array:
        """float32 views of uint8 images [batch, height, width, channels]."""
        x = self.normalize(images)
        if self.crop:
            top, left = ((size - self.crop) // 2 for size in x.shape[1:3])
            x = x[:, top : top + self.crop, left : left + self.crop]
        return x
