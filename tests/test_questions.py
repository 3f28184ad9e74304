"""`python -m experiments` lists what every script answers."""

from pathlib import Path

import experiments
from experiments.__main__ import main, questions


def test_every_script_is_listed_with_its_question_and_its_minutes(capsys):
    found = {one.name: one for one in questions()}
    scripts = (Path(experiments.__file__).parent).glob("*.py")
    assert {path.stem for path in scripts if "options(__doc__" in path.read_text()} <= set(found)
    assert found["mnist_rbm"].question.startswith("How good does an RBM 784-500 get on MNIST")
    assert found["conv_rbm"].takes == "about 40 minutes"
    assert found["features"].takes == "half an hour"
    main()
    text = capsys.readouterr().out
    assert all(name in text for name in found)
