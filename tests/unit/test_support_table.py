"""The support table has every operation of S3."""

from __future__ import annotations

from botocore.session import get_session  # type: ignore[import-untyped]

import specification


def test_the_support_table_has_every_operation_of_s3() -> None:
    """Each operation of botocore's model of S3 stands in the table: done, told as unset, or with the reason why not."""
    model = get_session().get_service_model("s3")
    assert set(model.operation_names) == set(specification.column("s3", "Operations", "operation"))
