"""The one exception that means "the person can fix this", and the one warning; the command line prints sentences."""


class UserError(Exception):
    """A mistake at the boundary (option, data, config, checkpoint); its text names what, the value and the remedy."""


class Diverged(UserError):
    """Training left the finite numbers; its text names the step and the last good checkpoint."""


class DataWarning(UserWarning):
    """What a person should know of data that can be used: what was left out, changed or looks wrong."""
