"""Questions asked of any model: likelihood, quality of samples, reconstruction, latent space, classes."""
