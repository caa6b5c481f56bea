"""Closes that moved more than tenfold without a split that explains it."""

from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray

JUMP_FACTOR: Final = 10.0


def jump_mask(code: IntArray, price: FloatArray, *, split: FloatArray, anchor: FloatArray | None) -> BoolArray:
    """Tell which prices lie more than tenfold from the last accepted one before them, after the split factors.

    A series is measured from its anchor, the price known before its first row. Without one the longest stretch free of
    jumps is believed (the later of equal ones) and the rest is measured from there, in both directions.

    Parameters
    ----------
    code : ndarray of int64, shape (n_rows,)
        Series of each row, ascending.
    price : ndarray of shape (n_rows,)
        Positive, oldest first within a series. NaN is ignored.
    split : ndarray of shape (n_rows,)
        Factor effective on the row, 1.0 = none.
    anchor : ndarray indexed by code, or None
        NaN where nothing is known.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    rejected = np.zeros(len(code), dtype=bool)
    level = _split_free(code, price, split)
    previous = previous_in_series(code, level)
    if anchor is not None:
        starts = _starts(code)
        previous[starts] = anchor[code[starts]]
    suspicious = np.unique(code[_far_apart(level, previous)])
    for series in suspicious:
        begin, end = np.searchsorted(code, [series, series + 1])
        known = np.nan if anchor is None else anchor[series]
        rejected[begin:end] = _rejected_in_series(level[begin:end], known)
    return rejected


def previous_in_series(code: IntArray, values: FloatArray) -> FloatArray:
    """Return the value of the row before, NaN for the first row of each series."""
    previous = np.full(len(values), np.nan)
    previous[1:] = np.where(code[1:] == code[:-1], values[:-1], np.nan)
    return previous


def _starts(code: IntArray) -> BoolArray:
    starts = np.ones(len(code), dtype=bool)
    starts[1:] = code[1:] != code[:-1]
    return starts


def _split_free(code: IntArray, price: FloatArray, split: FloatArray) -> FloatArray:
    # price in units of the share before the first row: continuous across splits
    level = price.copy()
    for series in np.unique(code[split != 1.0]):
        begin, end = np.searchsorted(code, [series, series + 1])
        level[begin:end] *= np.cumprod(split[begin:end])
    return level


def _far_apart(level: FloatArray, reference: FloatArray) -> BoolArray:
    return np.asarray((level > reference * JUMP_FACTOR) | (reference > level * JUMP_FACTOR))


def _rejected_in_series(level: FloatArray, anchor: float) -> BoolArray:
    if not np.isnan(anchor):
        return _walk(level, anchor)
    jumps = np.nonzero(_far_apart(level[1:], level[:-1]))[0] + 1
    edges = np.concatenate([[0], jumps, [len(level)]])
    lengths = np.diff(edges)
    believed = len(lengths) - 1 - int(np.argmax(lengths[::-1]))
    begin, end = int(edges[believed]), int(edges[believed + 1])
    rejected = np.zeros(len(level), dtype=bool)
    rejected[end:] = _walk(level[end:], float(level[end - 1]))
    rejected[:begin] = _walk(level[:begin][::-1], float(level[begin]))[::-1]
    return rejected


def _walk(level: FloatArray, reference: float) -> BoolArray:
    rejected = np.zeros(len(level), dtype=bool)
    for i, value in enumerate(level.tolist()):
        rejected[i] = value > reference * JUMP_FACTOR or reference > value * JUMP_FACTOR
        if not rejected[i] and not np.isnan(value):
            reference = value
    return rejected
