"""Runs the tests of a unittest file one by one, in step with the program that asked.

    run_tests.py FILE NAME...    runs the tests with these names
    run_tests.py FILE -NAME...   runs all but the tests with these names

Each end of a test is one JSON line on the real standard output; the next test begins
when a line has come back on standard input. What the tests print goes to standard
error.
"""

import importlib.util
import json
import os
import signal
import sys
import unittest

PATIENCE = 180  # seconds for a test; many wait without end for what does not come


def tests(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests(part)
        else:
            yield part


def give_up(*_):
    raise TimeoutError(f"the test has not ended after {PATIENCE} s")


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGALRM, give_up)
    path, wanted = sys.argv[1], set(name for name in sys.argv[2:] if name[0] != "-")
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("suite", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["suite"] = module
    spec.loader.exec_module(module)
    for test in tests(unittest.defaultTestLoader.loadTestsFromModule(module)):
        name = test.id().removeprefix("suite.")
        if wanted and name not in wanted or "-" + name in sys.argv[2:]:
            continue
        result = unittest.TestResult()
        # Again every 10 s, for what hangs while it cleans up.
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, 10)
        test(result)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if result.skipped:
            continue
        detail = "".join(text for _, text in result.failures + result.errors)
        out.write(json.dumps({"test": name, "passed": result.wasSuccessful(), "detail": detail}) + "\n")
        sys.stdin.readline()


main()
