"""What can be read off a figure's axes."""

import numpy as np


def ticks(axis):
    """Labels of one axis by their places."""
    return dict(zip(axis.get_ticklocs(), [label.get_text() for label in axis.get_ticklabels()]))


def labels_of(axis):
    """The labels in their order."""
    return list(ticks(axis).values())


def tiles(sheet, shape, count, columns):
    """The images of a sheet one by one, cut out without `tile`'s help; `(count, *shape)`, a channel last."""
    height, width, _ = shape
    sheet = sheet.reshape(*sheet.shape[:2], -1)
    corners = [(1 + (i // columns) * (height + 1), 1 + (i % columns) * (width + 1)) for i in range(count)]
    return np.ma.stack([sheet[top : top + height, left : left + width] for top, left in corners])


def legend(axes):
    """The words of a legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]
