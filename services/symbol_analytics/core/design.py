"""Regressors standardised over the rows of each symbol, once per distinct set of rows."""

from dataclasses import dataclass

import numpy as np

from services.symbol_analytics.core.rows import deviations
from shared.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Design:
    """Standardised regressors and their moment matrix, once per distinct set of rows."""

    standardised: FloatArray  # (n_regressors, n_masks, n_sessions)
    scales: FloatArray  # (n_masks, n_regressors), population standard deviations
    moments: FloatArray  # (n_masks, n_regressors, n_regressors)
    varies: BoolArray  # (n_masks,), whether every regressor does
    mask_of_symbol: IntArray  # (n_symbols,)


def design_of(regressors: FloatArray, mask: BoolArray) -> Design:
    """Standardise the regressors over each distinct set of rows.

    Parameters
    ----------
    regressors : ndarray of shape (n_regressors, n_sessions)
        NaN allowed outside the rows.
    mask : ndarray of bool, shape (n_symbols, n_sessions)
        The rows of each symbol.

    Returns
    -------
    Design
    """
    packed = np.packbits(mask, axis=1)
    _, first_symbol, mask_of_symbol = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    masks = mask[first_symbol]  # (n_masks, n_sessions)
    n_observations = np.maximum(masks.sum(axis=1), 1)
    centred = [deviations(regressor, masks) for regressor in regressors]
    varies = np.stack([d.varies for d in centred], axis=1)  # (n_masks, n_regressors)
    sd = np.sqrt(np.stack([d.sum_squares for d in centred], axis=1) / n_observations[:, None])
    scales = np.where(varies, sd, 1.0)
    standardised = np.stack([d.values / scales[:, j, None] for j, d in enumerate(centred)])
    moments = np.empty((len(masks), len(regressors), len(regressors)))
    for j, z_j in enumerate(standardised):
        for k, z_k in enumerate(standardised[: j + 1]):
            moments[:, j, k] = moments[:, k, j] = (z_j * z_k).sum(axis=-1)
    all_vary: BoolArray = np.logical_and.reduce(varies, axis=1)
    return Design(standardised, scales, moments, all_vary, mask_of_symbol.reshape(-1))
