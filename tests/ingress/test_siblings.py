"""Several processes that count together: here several of them in one."""

from __future__ import annotations

import os

import pytest

from ingress.metrics import ANSWERS, IngressMetrics
from ingress.siblings import Siblings, shared_directory


class Process:
    """One of them, and how many webhooks all of them have accepted as far as it knows."""

    def __init__(self, directory):
        self.metrics = IngressMetrics()
        self.siblings = Siblings(directory, self.metrics.figures.numbers)
        self.siblings.join()
        self.metrics.redis_away.forget()

    def accept(self, times):
        for _ in range(times):
            self.metrics.requests[202, "kept"].add()

    def total(self):
        return self.metrics.requests[202, "kept"].of(self.metrics.figures.numbers.totals())

    def die(self):
        """End as by kill -9: only the system closes what was open."""
        os.close(self.siblings._file)
        self.metrics.figures.numbers.cells.release()
        self.siblings._map.close()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "shared"


def files(directory):
    return len(list(directory.glob("*.numbers")))


def test_each_tells_of_all(directory):
    one, other = Process(directory), Process(directory)
    one.accept(3)
    other.accept(4)
    assert one.total() == other.total() == 7
    assert b"hookyard_ingress_processes 2.0" in one.metrics.text()


def test_what_a_process_counted_that_ended_stays_and_the_last_leaves_nothing(directory):
    one, other = Process(directory), Process(directory)
    one.accept(3)
    one.siblings.leave()
    assert other.total() == 3
    one.accept(1)  # after its end, for itself
    assert other.total() == 3
    other.siblings.leave()
    assert not directory.exists()


def test_one_that_starts_takes_over_from_one_that_died(directory):
    one, victim = Process(directory), Process(directory)
    victim.accept(5)
    victim.metrics.redis_away.began()
    victim.die()
    assert one.total() == 5
    heir = Process(directory)
    assert files(directory) == 2
    heir.accept(2)
    assert one.total() == heir.total() == 7
    assert b"hookyard_redis_away 0.0" in one.metrics.text()


def test_when_none_lives_it_begins_afresh(directory):
    victim = Process(directory)
    victim.accept(5)
    victim.die()
    assert Process(directory).total() == 0
    assert files(directory) == 1


def test_what_is_no_file_of_a_siblings_is_not_added_up(directory):
    one = Process(directory)
    (directory / "other.numbers").write_bytes(b"12345678")
    one.accept(1)
    assert one.total() == 1


def test_a_directory_of_somebody_elses_is_not_used(directory, monkeypatch):
    directory.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="somebody else's"):
        Process(directory)
    directory.rmdir()
    (directory.parent / "there").mkdir()
    directory.symlink_to(directory.parent / "there")
    monkeypatch.undo()
    with pytest.raises(PermissionError):
        Process(directory)


def test_a_process_that_nobody_spawned_has_no_siblings():
    assert shared_directory() is None


def test_an_unforeseen_reason_is_counted_all_the_same():
    metrics = IngressMetrics()
    metrics.refused(418, "teapot")
    metrics.refused(401, ANSWERS["401"][0])
    text = metrics.text().decode()
    assert 'hookyard_ingress_requests_total{reason="other",status="other"} 1.0' in text
    assert 'hookyard_ingress_requests_total{reason="no_secret",status="401"} 1.0' in text
