"""The allocator is told to keep freed memory, or left alone when the user says so."""

import os
import platform
import subprocess
import sys

import pytest


def kept(**environment: str) -> str:
    code = "from pixelbayes.allocation import keep_freed_memory; print(keep_freed_memory())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, **environment},
    )  # fmt: skip
    return run.stdout.strip()


def test_it_is_left_alone_when_asked():
    assert kept(PIXELBAYES_KEEP_MEMORY="0") == "False"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc knows how")
def test_it_is_told_where_it_understands():
    assert kept(PIXELBAYES_KEEP_MEMORY="1") == "True"
