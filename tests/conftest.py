"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# no timing in a test: a slow machine is not a wrong answer
settings.register_profile("lightningstor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lightningstor")
