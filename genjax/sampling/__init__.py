"""Drawing from machines: block Gibbs."""
