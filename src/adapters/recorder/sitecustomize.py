"""Names testmedic's recorder to pytest, and hands over to whoever else is called like this."""

import os
import sys

if "TESTMEDIC_RECORDER" in os.environ:
    _before = os.environ.get("PYTEST_PLUGINS")
    if "testmedic_recorder" not in (_before or ""):
        os.environ["PYTEST_PLUGINS"] = "testmedic_recorder," + _before if _before else "testmedic_recorder"

_here = os.path.dirname(os.path.abspath(__file__))
for _folder in sys.path:
    _other = os.path.join(_folder, "sitecustomize.py")
    if os.path.abspath(_folder or ".") != _here and os.path.isfile(_other):
        with open(_other, encoding="utf-8") as _file:
            exec(compile(_file.read(), _other, "exec"), {"__name__": "sitecustomize", "__file__": _other})
        break
