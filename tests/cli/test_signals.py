"""Ctrl-C and SIGTERM, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys, threading, time
import streamseg.cli, streamseg.cli.commands as commands

def dispatch(argv, interrupts):
    {body}
    return 0

commands.dispatch = dispatch
sys.exit(streamseg.cli.main([]))
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    code = PROGRAM.format(body="\n    ".join(body.strip().splitlines()))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_during_imports_leaves_at_once(name, status):
    done = run(f"os.kill(os.getpid(), signal.{name})\ntime.sleep(30)\nprint('still here')")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_during_loading_tidies_up(name, status):
    done = run(f"""
with interrupts.raised():
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(30)
    finally:
        print('tidied')
""")
    assert (done.returncode, done.stdout, done.stderr) == (status, "tidied\n", "")


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_during_a_run_stops_it_gently(name, status):
    done = run(f"""
over = threading.Event()
with interrupts.raised(), interrupts.stopping(over.set):
    os.kill(os.getpid(), signal.{name})
    print(over.wait(30))
""")
    assert (done.returncode, done.stdout, done.stderr) == (status, "True\n", "")


def test_the_second_signal_leaves_at_once():
    done = run("""
with interrupts.stopping(lambda: None):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
""")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
