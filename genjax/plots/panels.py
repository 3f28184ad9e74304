"""What learning curves show of each kind of model: names alone, for models to choose; `curves` draws them."""

from typing import NamedTuple


class Panel(NamedTuple):
    """One pair of axes: what is measured, in which unit, and the metrics by name with their legends.

    - `least`: the range that the axis covers at least, so that noise is not drawn as a trend.
    - `setting`: of what is set and not measured; where it never changes there is nothing to see.
    - `switches`: metrics of 0 and 1, each a strip of its own, as lines would cover each other.
    """

    label: str
    unit: str
    metrics: dict[str, str]
    least: float = 0.0
    setting: bool = False
    switches: bool = False


def both(name: str) -> dict[str, str]:
    """A metric of the training and of the validation examples."""
    return {name: "training", f"held_out_{name}": "validation"}


LEARNING_RATE = Panel("learning rate", "rate", {"learning_rate": "rate"})
GRADIENT = Panel("norm of the gradient", "Euclidean norm", {"gradient_norm": "training"})
ERROR = Panel("classification error", "share of examples", both("error"))
RECONSTRUCTION = Panel("reconstruction error", "squared, per value", both("reconstruction_error"))
WEIGHTS = Panel("norm of the weights", "Euclidean norm", {"weight_norm": "weights"})
ACTIVITY = Panel("mean hidden activity", "probability", {"hidden_activity": "training"}, least=0.1)

BOLTZMANN = (
    Panel("log-likelihood (deep: its lower bound), from the trajectory", "nats per example", both("log_likelihood")),
    Panel("log-likelihood (deep: its lower bound), by short AIS: rough", "nats per example", both("short_ais")),
    ERROR,
    Panel("pseudo-log-likelihood, one-value estimate", "nats per example", both("pseudo_likelihood")),
    RECONSTRUCTION,
    Panel("free-energy gap, validation - training", "nats", {"free_energy_gap": "gap"}),
    WEIGHTS,
    ACTIVITY,
    LEARNING_RATE,
)
VAE = (
    Panel("ELBO (a lower bound of the log-likelihood)", "nats per example", both("elbo")),
    Panel(
        "objective: the bound of the batch",
        "nats per example",
        {"bound": "training", "held_out_objective": "validation, with its beta"},
    ),
    Panel("reconstruction term, E log p(x | z)", "nats per example", both("reconstruction")),
    Panel("KL divergence from the prior", "nats per example", both("divergence")),
    Panel("ELBO gap, training - validation", "nats per example", {"free_energy_gap": "gap"}),
    GRADIENT,
    Panel("weight of the KL divergence", "factor", {"beta": "beta"}, setting=True),
    LEARNING_RATE,
)
AUTOENCODER = (
    ERROR,
    RECONSTRUCTION,
    Panel("cross-entropy", "nats per example", both("cross_entropy")),
    GRADIENT,
    LEARNING_RATE,
)
GAN = (
    Panel("loss", "mean of the batch", {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
    Panel(
        "accuracy of the discriminator",
        "share of examples",
        {"real_accuracy": "real examples", "fake_accuracy": "generated examples"},
    ),
    Panel("generator success rate", "share of samples taken for real", {"fooled": "generator"}),
    Panel(
        "kernel distance, samples to validation", "squared, of kernel means", {"held_out_kernel_distance": "samples"}
    ),
    Panel("score difference, real - generated", "score (Wasserstein: distance)", {"score_difference": "training"}),
    Panel(
        "mean score",
        "score",
        {"score_training": "training", "score_held_out": "validation", "score_samples": "samples"},
    ),
    Panel(
        "norm of the gradient",
        "Euclidean norm",
        {"discriminator_gradient": "discriminator", "generator_gradient": "generator"},
    ),
    Panel(
        "change of the parameters in a step",
        "Euclidean norm",
        {"discriminator_moved": "discriminator", "generator_moved": "generator"},
    ),
    Panel("class entropy of samples", "nats", {"class_entropy": "samples"}),
    Panel("mean squared distance of two samples", "squared, per value", {"spread": "samples"}),
    Panel(
        "collapse alarms",
        "filled: raised",
        {
            "alarm_classes_missing": "classes missing",
            "alarm_samples_alike": "samples alike",
            "alarm_discriminator_saturated": "discriminator saturated",
        },
        switches=True,
    ),
)
RECOMMENDER = (
    Panel(
        "root mean squared error",
        "units of the ratings",
        {"rmse": "training, each from the others", "held_out_rmse": "validation"},
    ),
    Panel("mean absolute error", "units of the ratings", both("mae")),
    Panel("Gibbs sweeps of the negative phase", "sweeps", {"sweeps": "k"}),
    WEIGHTS,
    ACTIVITY,
    LEARNING_RATE,
)
