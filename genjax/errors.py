"""The one exception that means "the person can fix this": the command line prints it as one sentence."""


class UserError(Exception):
    """A mistake at the boundary (option, data, config, checkpoint); its text names what, the value and the remedy."""


class Diverged(UserError):
    """Training left the finite numbers; its text names the step and the last good checkpoint."""
