"""What is meant by a name that is not known: other libraries' words for it, or the nearest spelling."""

from collections.abc import Iterable
from difflib import get_close_matches

USUAL = {
    "batch": ("batch_size", "bs", "minibatch", "mini_batch_size"),
    "clip": ("grad_clip", "gradient_clip", "clip_norm", "max_norm", "max_grad_norm"),
    "count": ("n", "num", "number", "num_samples", "n_samples", "num_images", "samples"),
    "data": ("dataset", "data_dir", "images_dir"),
    "device": ("gpu", "cuda"),
    "epochs": ("epoch", "n_epochs", "num_epochs", "max_epochs"),
    "filters": ("hidden", "n_filters", "nr_filters", "num_filters"),
    "folds": ("k", "cv", "kfold", "k_folds", "n_splits", "n_folds"),
    "labels": ("y", "target", "targets"),
    "learning_rate": ("lr", "rate", "learning", "initial_lr"),
    "max_steps": ("steps", "num_steps", "n_steps", "iterations", "iters", "max_iter"),
    "minutes": ("minute", "mins", "time", "budget", "max_time", "max_minutes", "time_limit"),
    "network": ("model", "arch", "architecture", "backbone"),
    "objective": ("loss", "criterion"),
    "optimiser": ("optimizer", "optim"),
    "out": ("output", "output_dir", "out_dir", "outdir", "save_dir", "save_to", "folder"),
    "patience": ("early_stopping",),
    "per_class": ("n", "num", "number", "count", "num_samples", "n_samples", "num_images", "samples"),
    "schedule": ("scheduler", "lr_schedule", "lr_scheduler"),
    "seed": ("random_state", "random_seed", "rng"),
    "size": ("image_size", "img_size", "imsize", "resolution", "input_size"),
    "start": ("from", "init", "pretrained", "init_from", "finetune"),
    "weight_decay": ("wd", "l2"),
}
"""Our word -> what other libraries call the same."""


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Which of `known` is meant by `name`: by its usual other names first, then by its spelling; None where nothing is
    near. Tables before a name ('training.batch') are looked past.

    >>> nearest("lr", ["patience", "training.learning-rate"]), nearest("epoch", ["epochs"]), nearest("qqq", ["epochs"])
    ('training.learning-rate', 'epochs', None)
    """
    choices = list(known)
    asked = _last(str(name))
    for choice in choices:
        if _last(choice) == asked or asked in USUAL.get(_last(choice), ()):
            return choice
    near = get_close_matches(str(name), choices, n=1, cutoff=0.5)
    return near[0] if near else None


def _last(name: str) -> str:
    return name.lower().replace("-", "_").rpartition(".")[2]
