"""How far training is."""

from ..progress import show_progress, spell_seconds


def show_training(progress: float, step: int, bits: float, speed: float, left: float) -> None:
    """`progress` in [0, 1], `bits`/dim lately, images/s, and seconds left."""
    text = f"step {step:,}  {bits:.3f} bits/dim  {speed:,.0f} images/s  {spell_seconds(left)} left"
    show_progress("training", min(progress, 0.999), text)


def training_ends() -> None:
    """Nothing more is shown."""
    show_progress("training", 1.0)
