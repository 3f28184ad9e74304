"""Drawing from models: block Gibbs, tempering, filling in."""
