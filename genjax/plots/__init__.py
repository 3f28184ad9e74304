"""Figures: every function takes arrays and returns a Figure; `images.save` writes one.

- `curves`: learning curves, of what `panels` names. `grids`: bands over seeds, reconstructions of every setting.
- `samples`: chains, sheets, one row a label, the film of a generator, the ladder of a tempered kernel.
- `weights`: filters, weights of labels, maximally activating images.
- `latent`: planes, traversals, interpolations, neighbourhoods, maps of codes, reconstructions.
- `coverage`: samples by class beside the shares of the classes.
- `images`, `heat_maps`: what those are made of, for images and for examples that are no images.

`title` is the whole title: callers put the run's name into it.
"""
