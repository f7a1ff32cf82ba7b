"""Who may administer tenants.

Law: pure. An operator is an owner of the deployment's root project and may administer all of it. An
owner of another project may administer who works in it, and see what it uses: nothing that would
give more than the project has. Nobody else may anything.
"""

from __future__ import annotations

from typing import Final

from lightningstor_server.service.operation import Permission, Tenancy
from lightningstor_types.errors import AccessDenied
from lightningstor_types.tenants import Caller, Role

OWNER_ACTIONS: Final = frozenset({
    "lightningstor:CreatePrincipal",
    "lightningstor:SetRole",
    "lightningstor:ListPrincipals",
    "lightningstor:DeletePrincipal",
    "lightningstor:CreateAccessKey",
    "lightningstor:ListAccessKeys",
    "lightningstor:RevokeAccessKey",
    "lightningstor:DeleteAccessKey",
    "lightningstor:GetTenantUsage",
})  # fmt: skip
"""What the owners of a project may do in it."""


def authorize_tenancy(caller: Caller, permission: Permission) -> None:
    """Let the caller pass, or raise.

    Raises:
        AccessDenied: the caller may not administer these tenants.
    """
    if caller.operator:
        return
    own = (Tenancy(), Tenancy(organisation=caller.project.organisation, project=caller.project.name))
    if caller.role is not Role.OWNER or permission.action not in OWNER_ACTIONS or permission.tenants not in own:
        raise AccessDenied
