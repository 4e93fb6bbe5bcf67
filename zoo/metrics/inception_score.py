"""The Inception Score over the probabilities of a classifier.

Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv:1606.03498), section 4:
exp(E_x KL(p(y|x) || p(y))). It looks at no real image, and a score says nothing without its
classifier: only numbers of one classifier can be compared.
"""

import numpy as np

SPLITS = 10


def inception_score(probabilities, splits=SPLITS):
    """Inception Score: the mean over disjoint splits of exp(E KL(p(y|x) || p(y))).

    Args:
        probabilities: p(y|x), (N, classes), rows that sum to 1, in random order;
            N >= `splits` * classes, for a split of n images scores n at most.
        splits: number of parts the images are cut into, 10 as in the paper.

    Returns:
        (score, its standard error): floats, the score between 1 and the number of classes. Papers
        print the standard deviation between splits, sqrt(splits - 1) times the standard error.

    Raises:
        ValueError: rows are no probabilities, or there are fewer rows than splits times classes.
    """
    probabilities = np.asarray(probabilities, "float64")
    if probabilities.ndim != 2 or len(probabilities) < splits * probabilities.shape[1]:
        raise ValueError(
            f"Probabilities have shape {probabilities.shape}; (N, classes) with N of at least "
            f"{splits} (the number of splits) times the classes is expected."
        )
    if not ((probabilities >= 0).all() and np.allclose(probabilities.sum(1), 1, atol=1e-3)):
        raise ValueError("Probabilities must be at least 0 and sum to 1 for each image.")
    scores = [_score(part) for part in np.array_split(probabilities, splits)]
    spread = np.std(scores, ddof=1) if splits > 1 else np.nan
    return float(np.mean(scores)), float(spread / np.sqrt(splits))


def _score(p):
    mean = p.mean(0)
    # 0 log 0 is 0, and where the mean is 0 every term is.
    ratio = np.divide(p, mean, out=np.ones_like(p), where=p > 0)
    return np.exp((p * np.log(ratio)).sum(1).mean())
