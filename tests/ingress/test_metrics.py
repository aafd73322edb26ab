"""Metrics of an ingress."""

from __future__ import annotations

from ingress.metrics import ANSWERS, IngressMetrics


def test_an_unforeseen_reason_is_counted_all_the_same():
    metrics = IngressMetrics()
    metrics.refused(418, "teapot")
    metrics.refused(401, ANSWERS["401"][0])
    text = metrics.registry.render().decode()
    assert 'hookyard_ingress_requests_total{reason="other",status="other"} 1.0' in text
    assert 'hookyard_ingress_requests_total{reason="no_secret",status="401"} 1.0' in text
