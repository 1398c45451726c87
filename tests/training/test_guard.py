"""What a second signal does is its owner's to say."""

import os
import signal

import pytest

from pixelbayes.training.guard import Guard


def test_a_second_interrupt_is_the_notebooks() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    try:
        _interrupt_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_twice() -> None:
    with Guard() as guard:
        os.kill(os.getpid(), signal.SIGINT)
        assert guard.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_handler_of_the_users_gets_the_second_signal() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with Guard() as guard:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
            assert guard.received == signal.SIGTERM
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
