"""Who may administer tenants.

Law: pure. An operator is an owner of the deployment's root project and may administer all of it.
"""

from __future__ import annotations

from lightningstor_server.service.operation import Tenancy
from lightningstor_types.errors import AccessDenied
from lightningstor_types.tenants import Caller


def authorize_tenancy(caller: Caller, tenants: Tenancy) -> None:
    """Let the caller pass, or raise.

    Raises:
        AccessDenied: the caller may not administer these tenants.
    """
    del tenants
    if not caller.operator:
        raise AccessDenied
