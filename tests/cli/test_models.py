from __future__ import annotations

import subprocess
import sys

from streamseg.cli import main


def test_models_are_listed_with_their_classes_and_weights(capsys):
    assert main(["models"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["MODEL", "FINDS", "CLASSES", "PARAMETERS", "WEIGHTS", "WHAT", "IT", "IS"]
    street = next(row for row in rows if row.startswith("street"))
    assert "person, vehicle, cycle" in street and "in the package" in street
    assert {row.split()[0] for row in rows} >= {"street", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"}


def test_a_reader_that_had_enough_ends_it_quietly():
    command = [sys.executable, "-m", "streamseg", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        program.stdout.close()
        assert (program.stderr.read(), program.wait()) == ("", 141)
