"""Writes down what failing comparisons compared, in full, beside the report."""
import json
import os

CURRENT = {"test": None}


def written(value):
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:100000]


def pytest_runtest_protocol(item, nextitem):
    CURRENT["test"] = item.nodeid


def pytest_assertrepr_compare(config, op, left, right):
    path = os.environ.get("TESTMEDIC_PROBE")
    if path and CURRENT["test"]:
        try:
            line = json.dumps({"test": CURRENT["test"], "op": op, "left": written(left), "right": written(right)})
            with open(path, "a", encoding="utf-8") as out:
                out.write(line + "\n")
        except Exception:
            pass
    return None
