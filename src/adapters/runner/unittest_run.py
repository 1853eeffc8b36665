"""Runs unittest's tests by name and writes JUnit XML."""
import sys
import time
import unittest
import xml.etree.ElementTree as xml

unittest.TestCase.maxDiff = None


class Result(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.cases = []

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.time()

    def note(self, test, kind=None, text=""):
        head, _, name = test.id().rpartition(".")
        case = xml.Element("testcase", classname=head, name=name, time="%.3f" % (time.time() - getattr(self, "begun", time.time())))
        if kind:
            lines = [line for line in text.strip().splitlines() if line.strip()]
            xml.SubElement(case, kind, message=lines[-1] if lines else "").text = text
        self.cases.append(case)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failure", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "error", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note(test, "skipped", "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "failure", "unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failure", self._exc_info_to_string(err, test))


report, names = sys.argv[1], sys.argv[2:]
sys.path.insert(0, "")
suite = unittest.defaultTestLoader.loadTestsFromNames(names)
result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
root = xml.Element("testsuite", name="unittest", tests=str(len(result.cases)))
root.extend(result.cases)
xml.ElementTree(root).write(report, encoding="utf-8", xml_declaration=True)
sys.exit(0 if result.wasSuccessful() else 1)
