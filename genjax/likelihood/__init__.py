"""What a machine says of data, in nats: exact, by annealed importance sampling, by pseudo-likelihood."""
