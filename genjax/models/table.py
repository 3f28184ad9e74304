"""The table of models by name: what `genjax train NAME` trains and run folders hold."""

from genjax.models.autoencoder import Autoencoder, DenoisingAutoencoder, StackedAutoencoder
from genjax.models.conv_rbm import ConvRBM
from genjax.models.dbm import DBM
from genjax.models.dbn import DBN
from genjax.models.gan import GAN
from genjax.models.rbm import RBM
from genjax.models.recommender import Recommender
from genjax.models.vae import CVAE, IWAE, VAE

CONFIGS = (
    RBM,
    DBM,
    DBN,
    ConvRBM,
    GAN,
    Recommender,
    VAE,
    IWAE,
    CVAE,
    Autoencoder,
    DenoisingAutoencoder,
    StackedAutoencoder,
)
MODELS = {config.model.name: config.model for config in CONFIGS}
EFFORTS = tuple(dict.fromkeys(model.effort for model in MODELS.values() if model.effort is not None))
"""The options of all estimators, which `genjax evaluate` takes."""
