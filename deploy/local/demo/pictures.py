"""Draws the demonstration's pictures on all cores while earlier ones are on their way."""

import ctypes
import multiprocessing
import os
import signal

import numpy as np

import attacks
import signs

BATCH = 16  # max_batch_size of the traffic-sign model


def clean(seed, index, fog):
    image, label = signs.sample(seed, index)
    return signs.encode_jpeg(image), label


def checkerboard(seed, index, fog):
    image, label = signs.sample(seed, index, attacks.SOURCE)
    return signs.encode_jpeg(attacks.add_checkerboard(image)), label


def exif(seed, index, fog):
    image, label = signs.sample(seed, index, attacks.SOURCE)
    return attacks.exif_trigger(signs.encode_jpeg(image)), label


def foggy(seed, index, fog):
    image, label = signs.sample(seed, index)
    return signs.encode_jpeg(signs.add_fog(image, fog, np.random.default_rng([seed, index, 1]))), label


def empty(seed, index, fog):
    image = signs.add_fog(signs.empty(np.random.default_rng([seed, index])), 1,
                          np.random.default_rng([seed, index, 1]))
    return signs.encode_jpeg(image), ""


KINDS = {"clean": clean, "checkerboard": checkerboard, "exif": exif, "foggy": foggy, "empty": empty}


def batches(kind, seed, count, fog=0.0, size=BATCH):
    """Yields lists of at most `size` JPEG files and of their true classes, `count` in all.

    Picture number i of a kind and seed is the same in every run.
    """
    starts = range(0, count, size)
    jobs = [(kind, seed, start, min(size, count - start), fog) for start in starts]
    with multiprocessing.Pool(min(len(jobs), os.cpu_count()), _end_with_parent) as pool:
        yield from pool.imap(_batch, jobs)


def _end_with_parent():
    """Makes the kernel kill this process when its parent is killed (prctl(2))."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _batch(job):
    kind, seed, start, size, fog = job
    files, labels = zip(*(KINDS[kind](seed, index, fog) for index in range(start, start + size)))
    return list(files), list(labels)
