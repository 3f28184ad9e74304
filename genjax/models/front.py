"""The front door's models: functions from keyword arguments to configs."""

from genjax.models.autoencoder import Autoencoder, DenoisingAutoencoder, StackedAutoencoder
from genjax.models.base import constructor
from genjax.models.conv_rbm import ConvRBM
from genjax.models.dbm import DBM
from genjax.models.dbn import DBN
from genjax.models.gan import GAN
from genjax.models.rbm import RBM
from genjax.models.recommender import Recommender
from genjax.models.vae import CVAE, IWAE, VAE

rbm = constructor(RBM)
dbm = constructor(DBM)
dbn = constructor(DBN)
conv_rbm = constructor(ConvRBM)
vae = constructor(VAE)
iwae = constructor(IWAE)
cvae = constructor(CVAE)
gan = constructor(GAN)
recommender = constructor(Recommender)
autoencoder = ae = constructor(Autoencoder)
dae = constructor(DenoisingAutoencoder)
sae = constructor(StackedAutoencoder)
