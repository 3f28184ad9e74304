"""The table of models: the front door's functions from keyword arguments to configs, and `MODELS` by name.

What `genjax train NAME` trains and run folders hold. A model with a name has its row here and nowhere else.
"""

from genjax.models.autoencoder import Autoencoder, DenoisingAutoencoder, StackedAutoencoder
from genjax.models.autoregressive import Autoregressive
from genjax.models.base import constructor
from genjax.models.conv_rbm import ConvRBM
from genjax.models.dbm import DBM
from genjax.models.dbn import DBN
from genjax.models.diffusion import Diffusion
from genjax.models.gan import GAN
from genjax.models.hopfield import HopfieldNet
from genjax.models.rbm import RBM
from genjax.models.recommender import Recommender
from genjax.models.supervised import Supervised
from genjax.models.vae import CVAE, IWAE, VAE

rbm = constructor(RBM)
dbm = constructor(DBM)
dbn = constructor(DBN)
gan = constructor(GAN)
recommender = constructor(Recommender)
vae = constructor(VAE)
iwae = constructor(IWAE)
cvae = constructor(CVAE)
autoencoder = ae = constructor(Autoencoder)
dae = constructor(DenoisingAutoencoder)
sae = constructor(StackedAutoencoder)
hopfield = constructor(HopfieldNet)
autoregressive = constructor(Autoregressive)
diffusion = constructor(Diffusion)
conv_rbm = constructor(ConvRBM)
supervised = constructor(Supervised)

CONSTRUCTORS = {name: row for name, row in list(globals().items()) if hasattr(row, "model_config")}
MODELS = {row.model_config.model.name: row.model_config.model for row in CONSTRUCTORS.values()}
EFFORTS = tuple(dict.fromkeys(model.effort for model in MODELS.values() if model.effort is not None))
"""The options of all estimators, which `genjax evaluate` takes."""
