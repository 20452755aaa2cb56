"""Suites that test modules derive from explain their failures like tests."""

import pytest

pytest.register_assert_rewrite("tests.contract.store_suite")
