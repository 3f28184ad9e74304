"""Features of the Inception network on which the published FID and KID are taken, where its weights file is at hand.

The network is torch-fidelity's (`pip install -e ".[fid]"`), which resizes and scales images as the original graph does.
The weights are a file of the user's: those converted from the TensorFlow graph of 2015-12-05, as torch-fidelity and
pytorch-fid hand them out (`weights-inception-2015-12-05-6726825d.pth`, `pt_inception-2015-12-05-6726825d.pth`).
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from genjax.errors import UserError
from genjax.evaluation.distances import frechet_distance, kernel_distance, subset

Images = Float[np.ndarray, "images pixels"]
BLOCK = 50  # images resized to 299 x 299 at once


def inception(weights: Path) -> Any:
    """The network, a torch module from images (uint8; images, 3, height, width) to ("2048",) features.

    Raises `UserError` where torch-fidelity is not installed or the file does not hold these weights.
    """
    try:
        torch = import_module("torch")
        extractors = import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError:
        raise UserError('FID takes torch-fidelity, which is not installed: pip install -e ".[fid]".') from None
    if not weights.is_file():
        raise UserError(f"There is no file {weights} with Inception's weights.")
    try:
        torch.load(weights, weights_only=True)  # refuses pickled code; the network's own reading would run it
        return extractors.FeatureExtractorInceptionV3(
            "inception", ["2048"], feature_extractor_weights_path=str(weights)
        )
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{weights} does not hold the Inception network's weights: {reason}") from None


def inception_features(
    network: Any, x: Images, shape: tuple[int, int, int], progress: Callable[[float], None] = lambda share: None
) -> Float[np.ndarray, "images 2048"]:
    """Pool features of images of this (height, width, channels) with values in [0, 1]; grey ones are shown in all
    three channels, as is usual. Raises `UserError` for another number of channels."""
    torch = import_module("torch")
    if shape[2] not in (1, 3):
        raise UserError(f"The Inception network takes grey or RGB images, not {shape[2]} channels.")
    features = []
    for start in range(0, len(x), BLOCK):
        block = np.rint(255 * np.clip(x[start : start + BLOCK], 0, 1)).astype(np.uint8).reshape(-1, *shape)
        block = np.broadcast_to(block, (*block.shape[:3], 3)).transpose(0, 3, 1, 2)
        features.append(network(torch.tensor(block))[0].numpy())
        progress(min(1.0, (start + BLOCK) / len(x)))
    return np.concatenate(features)


def inception_distances(
    network: Any,
    samples: Images,
    train: Images,
    test: Images,
    shape: tuple[int, int, int],
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """FID (Heusel et al. 2017) and KID (Binkowski et al. 2018) to the test images, of samples and of as many training
    images. FID falls with the number of images: compare it at equal numbers only."""
    real = subset(train, len(samples))
    features = []
    for done, x in enumerate((test, samples, real)):
        features.append(inception_features(network, x, shape, lambda share, done=done: progress((done + share) / 3)))
    answers: dict[str, Any] = {}
    for name, mine in (("samples", features[1]), ("real", features[2])):
        answers[name] = {"images": len(mine), "fid": frechet_distance(mine, features[0])}
        answers[name]["kid"] = kernel_distance(mine, features[0]).mean
    return answers
