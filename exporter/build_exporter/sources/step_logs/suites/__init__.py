"""Results of test suites as their runners print them: a file a family of runners, put together by `SuiteReader`."""

from build_exporter.sources.step_logs.suites.reader import SuiteReader
from build_exporter.sources.step_logs.suites.results import Results

__all__ = ["Results", "SuiteReader"]
