"""`lightningstor org|project|principal|key`: who there is, over the gRPC API of a running server.

Law: as the group's. Every change holds for the next request to any process of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from lightningstor_server.cli.connection import Remote, remote, secret_of
from lightningstor_server.failures import StartError
from lightningstor_types.errors import InvalidArgument
from lightningstor_types.names import TenantName
from lightningstor_types.operations import principals, tenants
from lightningstor_types.tenants import AccessKeyId, Role, SecretKey, TenantText

_NAMES: Final = "Names have 1 to 128 of A-Z a-z 0-9 and . _ @ $ + = : - or space."
_OWN: Final = "[default: the key's own]"
_ROLE_HELP: Final = "owner: everything in the project; editor: read and write objects; viewer: read."
_ORGANISATION_COLUMNS: Final = {"organisation": "ORGANISATION", "created": "CREATED"}
_PROJECT_COLUMNS: Final = {"project": "PROJECT", "display_name": "SHOWN AS", "email": "EMAIL", "canonical_id": "CANONICAL ID"}
_PRINCIPAL_COLUMNS: Final = {"principal": "PRINCIPAL", "role": "ROLE", "created": "CREATED"}
_KEY_COLUMNS: Final = {"access_key": "ACCESS KEY", "principal": "PRINCIPAL", "role": "ROLE", "active": "ACTIVE", "created": "CREATED"}

_ORG_EPILOG: Final = """\b
Begin with a tenant of your own:
  lightningstor org create acme
  lightningstor project create --organisation acme images
  lightningstor principal create --organisation acme --project images alice --role owner
  lightningstor key create --organisation acme --project images alice"""
_PROJECT_EPILOG: Final = """\b
For example:
  lightningstor project create --organisation acme images --display-name "Images" --email images@acme.example
  lightningstor project list --organisation acme
  lightningstor project delete --organisation acme images      # once it has no bucket"""
_PRINCIPAL_EPILOG: Final = """\b
For example:
  lightningstor principal create alice --role editor           # in the project of your own key
  lightningstor principal set-role alice viewer                # holds for alice's next request
  lightningstor principal list --organisation acme --project images"""
_KEY_EPILOG: Final = """\b
For example:
  lightningstor key create alice                               # prints the secret, this once
  lightningstor key create alice --json > alice.json
  lightningstor key create alice --id BACKUP01 --secret-file - < secret
  lightningstor key revoke AKIA...                             # refused from the next request on, everywhere"""


class _Named(click.ParamType[str]):
    """A text that its class can parse."""

    def __init__(self, kind: type[TenantName | AccessKeyId | TenantText], name: str) -> None:
        self._kind = kind
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return self._kind.parse(value)
        except InvalidArgument as error:
            self.fail(error.message, param, ctx)


_NAME: Final = _Named(TenantName, "name")
_KEY_ID: Final = _Named(AccessKeyId, "id")
_TEXT: Final = _Named(TenantText, "text")
_ROLE: Final = click.Choice([role.value for role in Role])

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def of_project(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name a project."""
    command = click.option("--project", type=_NAME, help=f"Its project, with --organisation.  {_OWN}")(command)
    return click.option("--organisation", type=_NAME, help=f"The organisation.  {_OWN}")(command)


_of_organisation: Final[Decorator] = click.option("--organisation", type=_NAME, required=True, help="The organisation.")


@click.group(epilog=_ORG_EPILOG)
def org() -> None:
    """Organisations, which hold projects. For operators: the owners of the root project."""


@org.command("create", epilog=_NAMES)
@click.argument("name", type=_NAME)
@remote
def _create_organisation(server: Remote, name: str) -> None:
    """Make an organisation."""
    (made,) = server.ask(tenants.CreateOrganisation(organisation=TenantName(name)))
    server.tell(made, f"organisation {made.organisation} is there")


@org.command("list")
@remote
def _list_organisations(server: Remote) -> None:
    """The organisations, by name."""
    server.show(server.pages(tenants.ListOrganisations(), "organisations"), _ORGANISATION_COLUMNS)


@org.command("delete")
@click.argument("name", type=_NAME)
@remote
def _delete_organisation(server: Remote, name: str) -> None:
    """Delete an organisation that has no project."""
    server.ask(tenants.DeleteOrganisation(organisation=TenantName(name)))


@click.group(epilog=_PROJECT_EPILOG)
def project() -> None:
    """Projects, which own buckets and are S3's canonical users. For operators."""


@project.command("create", epilog=_NAMES)
@_of_organisation
@click.argument("name", type=_NAME)
@click.option("--display-name", type=_TEXT, help="How S3 shows it.  [default: its name]")
@click.option("--email", type=_TEXT, help="Its address of electronic mail.")
@remote
def _create_project(server: Remote, name: str, **named: Any) -> None:
    """Make a project."""
    (made,) = server.ask(tenants.CreateProject(project=TenantName(name), **named))
    server.tell(made, f"project {made.organisation}/{made.project} is there; S3 names it {made.canonical_id}")


@project.command("list")
@_of_organisation
@remote
def _list_projects(server: Remote, organisation: str) -> None:
    """The projects of an organisation, by name."""
    server.show(server.pages(tenants.ListProjects(organisation=TenantName(organisation)), "projects"), _PROJECT_COLUMNS)


@project.command("update")
@_of_organisation
@click.argument("name", type=_NAME)
@click.option("--display-name", type=_TEXT, help="How S3 shows it.")
@click.option("--email", type=_TEXT, help="Its address of electronic mail.")
@remote
def _update_project(server: Remote, name: str, **named: Any) -> None:
    """Change what is given of a project."""
    (made,) = server.ask(tenants.UpdateProject(project=TenantName(name), **named))
    server.show([made], _PROJECT_COLUMNS)


@project.command("delete")
@_of_organisation
@click.argument("name", type=_NAME)
@remote
def _delete_project(server: Remote, name: str, organisation: str) -> None:
    """Delete a project that has no bucket, with its principals and their keys."""
    server.ask(tenants.DeleteProject(organisation=TenantName(organisation), project=TenantName(name)))


@click.group(epilog=_PRINCIPAL_EPILOG)
def principal() -> None:
    """Principals: who works in a project, with which role. For operators, and for the owners of the project."""


@principal.command("create", epilog=_NAMES)
@of_project
@click.argument("name", type=_NAME)
@click.option("--role", type=_ROLE, required=True, help=_ROLE_HELP)
@remote
def _create_principal(server: Remote, name: str, role: str, **named: Any) -> None:
    """Make a principal."""
    (made,) = server.ask(principals.CreatePrincipal(principal=TenantName(name), role=Role(role), **named))
    server.tell(made, f"principal {made.principal} is there, as {made.role}")


@principal.command("set-role")
@of_project
@click.argument("name", type=_NAME)
@click.argument("role", type=_ROLE)
@remote
def _set_role(server: Remote, name: str, role: str, **named: Any) -> None:
    """Give a principal another role."""
    (made,) = server.ask(principals.SetRole(principal=TenantName(name), role=Role(role), **named))
    server.tell(made, f"principal {made.principal} is {made.role} now")


@principal.command("list")
@of_project
@remote
def _list_principals(server: Remote, **named: Any) -> None:
    """The principals of a project, by name."""
    server.show(server.pages(principals.ListPrincipals(**named), "principals"), _PRINCIPAL_COLUMNS)


@principal.command("delete")
@of_project
@click.argument("name", type=_NAME)
@remote
def _delete_principal(server: Remote, name: str, **named: Any) -> None:
    """Delete a principal all of whose keys are revoked."""
    server.ask(principals.DeletePrincipal(principal=TenantName(name), **named))


@click.group(epilog=_KEY_EPILOG)
def key() -> None:
    """Access keys, which principals sign with. For operators, and for the owners of the project."""


@key.command("create")
@of_project
@click.argument("principal_name", metavar="PRINCIPAL", type=_NAME)
@click.option("--id", "id_", type=_KEY_ID, help="The key's id, with --secret-file.  [default: a random one]")
@click.option("--secret-file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), help="A file with its secret; - is stdin.")
@remote
def _create_key(server: Remote, principal_name: str, id_: str | None, secret_file: Path | None, **named: Any) -> None:
    """Make a key of a principal, and print its secret this once."""
    given: dict[str, Any] = {}
    if (id_ is None) != (secret_file is None):
        raise StartError("--id and --secret-file go together; without both, the key is a random one")
    if id_ is not None and secret_file is not None:
        try:
            given = {"access_key": AccessKeyId(id_), "secret_key": SecretKey.parse(secret_of(secret_file))}
        except InvalidArgument as error:
            raise StartError(error.message) from error
    (made,) = server.ask(principals.CreateAccessKey(principal=TenantName(principal_name), **given, **named))
    shown = (f"access key = {made.access_key}", f"secret key = {made.secret_key}", "It is shown this once: keep it.")
    server.tell(made, *shown)


@key.command("list")
@of_project
@click.option("--principal", "principal_name", type=_NAME, help="Those of one principal.")
@remote
def _list_keys(server: Remote, principal_name: str | None, **named: Any) -> None:
    """The keys of a project, revoked ones among them; never their secrets."""
    of = None if principal_name is None else TenantName(principal_name)
    server.show(server.pages(principals.ListAccessKeys(principal=of, **named), "access_keys"), _KEY_COLUMNS)


@key.command("revoke")
@of_project
@click.argument("id_", metavar="ID", type=_KEY_ID)
@remote
def _revoke_key(server: Remote, id_: str, **named: Any) -> None:
    """End a key, from its next request on. It stays in lists. An operator may end a key of any project without naming that."""
    server.ask(principals.RevokeAccessKey(access_key=AccessKeyId(id_), **named))


@key.command("delete")
@of_project
@click.argument("id_", metavar="ID", type=_KEY_ID)
@remote
def _delete_key(server: Remote, id_: str, **named: Any) -> None:
    """Remove a key without a trace, revoked or not."""
    server.ask(principals.DeleteAccessKey(access_key=AccessKeyId(id_), **named))
