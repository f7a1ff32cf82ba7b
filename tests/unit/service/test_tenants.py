"""Organisations, projects, principals and keys: who may administer them, and what is refused to everybody."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from lightningstor_server.auth.vault import secret_context
from lightningstor_server.service.core import Service
from lightningstor_server.service.identity import ROOT_PROJECT_SETTING, Identities
from lightningstor_server.service.operation import operations
from lightningstor_server.service.operators import OWNER_ACTIONS
from lightningstor_types import errors
from lightningstor_types.tenants import BucketNamespace, Caller, Project, Role
from unit.service.rig import BUCKET, Rig, enter_caller, make_rig, project

TENANCY = sorted(name for name, operation in operations().items() if (operation.rpc or "").startswith("TenantService."))
ACME: dict[str, str] = {"organisation": "acme"}
IMAGES: dict[str, str] = {"organisation": "acme", "project": "images"}
LONG_LIST = 5


@pytest.fixture
async def operator(rig: Rig) -> Caller:
    """The owner `root` of the root project, with the key ROOT; the organisation acme with its project images is there."""

    async def work(tx: Any) -> Project:
        root: Project = await tx.tenants.put_project(project("root", "root"))
        await tx.configuration.set(ROOT_PROJECT_SETTING, str(root.id))
        return root

    root = Caller(project=await rig.metadata.commit(work), principal="root", role=Role.OWNER, access_key="ROOT", operator=True)
    await rig.call_as(root, "CreatePrincipal", principal="root", role=Role.OWNER)
    await rig.call_as(root, "CreateAccessKey", principal="root", access_key="ROOT", secret_key="root-secret")
    await rig.call_as(root, "CreateOrganisation", **ACME)
    await rig.call_as(root, "CreateProject", **IMAGES, email="i@acme")
    return root


@pytest.fixture
async def alice(rig: Rig, operator: Caller) -> Caller:
    """The owner of acme/images, with the key ALICE."""
    await rig.call_as(operator, "CreatePrincipal", **IMAGES, principal="alice", role=Role.OWNER)
    await rig.call_as(operator, "CreateAccessKey", **IMAGES, principal="alice", access_key="ALICE", secret_key="alice-secret")
    return await found(rig, "ALICE")


def identities(rig: Rig) -> Identities:
    """What looks keys up, as a front does it."""
    assert rig.service.sealer is not None
    return Identities(rig.metadata, rig.service.sealer)  # type: ignore[arg-type]


async def found(rig: Rig, access_key: str) -> Caller:
    """Whom a key speaks for."""
    credential = await identities(rig).find(access_key)
    assert credential is not None
    return credential.caller


async def generation(rig: Rig) -> int:
    """What caches are checked against."""
    return await rig.metadata.read(lambda tx: tx.configuration.generation())


# -- who may


def sample(name: str) -> dict[str, Any]:
    """Fields that an operation on acme/images needs."""
    values = {"organisation": "acme", "project": "images", "principal": "alice", "role": Role.OWNER, "access_key": "ALICE", "bucket": None}
    names = {field.name for field in attrs.fields(operations()[name].input)}
    return {field: value for field, value in values.items() if field in names}


@pytest.mark.parametrize("name", TENANCY)
async def test_who_is_no_operator_administers_nothing_of_others(rig: Rig, alice: Caller, name: str) -> None:
    """Owners of other projects are denied before anything is looked up, whether it is there or not."""
    stranger = attrs.evolve(alice, project=attrs.evolve(alice.project, name="other"))
    before = await generation(rig)
    for fields in (sample(name), {field: "nowhere" if value == "images" else value for field, value in sample(name).items()}):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(stranger, name, **fields)
    assert await generation(rig) == before


@pytest.mark.parametrize("name", TENANCY)
@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
async def test_only_owners_administer(rig: Rig, alice: Caller, name: str, role: Role) -> None:
    """Neither an editor nor a viewer does, of their own project, by its names or by none."""
    somebody = attrs.evolve(alice, role=role)
    named = {field: value for field, value in sample(name).items() if field not in {"organisation", "project"}}
    for fields in (sample(name), *([named] if f"lightningstor:{name}" in OWNER_ACTIONS else [])):
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(somebody, name, **fields)


async def test_an_owner_administers_its_own_project(rig: Rig, alice: Caller) -> None:
    """Principals and keys, by the project's names or by none; nothing above it."""
    await rig.call_as(alice, "CreatePrincipal", principal="bob", role=Role.VIEWER)
    made = await rig.call_as(alice, "CreateAccessKey", **IMAGES, principal="bob")
    bob = await found(rig, made.access_key)
    assert (bob.project, bob.principal, bob.role, bob.operator) == (alice.project, "bob", Role.VIEWER, False)
    await rig.call_as(alice, "SetRole", principal="bob", role=Role.EDITOR)
    assert (await found(rig, made.access_key)).role is Role.EDITOR
    await rig.call_as(alice, "RevokeAccessKey", access_key=made.access_key)
    await rig.call_as(alice, "DeletePrincipal", principal="bob")
    for name in set(TENANCY) - {action.partition(":")[2] for action in OWNER_ACTIONS}:
        with pytest.raises(errors.AccessDenied):
            await rig.call_as(alice, name, **sample(name))


async def test_a_key_of_another_project_is_out_of_reach(rig: Rig, operator: Caller, alice: Caller) -> None:
    """It answers as a missing one; an operator that names no project reaches the keys of all."""
    for name in ("RevokeAccessKey", "DeleteAccessKey"):
        with pytest.raises(errors.NoSuchEntity) as foreign:
            await rig.call_as(alice, name, access_key="ROOT")
        with pytest.raises(errors.NoSuchEntity) as missing:
            await rig.call_as(alice, name, access_key="NONE")
        assert foreign.value.message == missing.value.message
        with pytest.raises(errors.NoSuchEntity):
            await rig.call_as(operator, name, organisation="root", project="root", access_key="ALICE")
    await rig.call_as(operator, "RevokeAccessKey", access_key="ALICE")
    assert await identities(rig).find("ALICE") is None


# -- organisations and projects


async def test_a_project_is_made_named_and_changed(rig: Rig, operator: Caller) -> None:
    """Its canonical id is its own and stays; what an update leaves out stays too."""
    (made,) = (await rig.call_as(operator, "ListProjects", **ACME)).projects
    assert (made.display_name, made.email, len(made.canonical_id), made.created) == ("images", "i@acme", 64, rig.clock.now)
    changed = await rig.call_as(operator, "UpdateProject", **IMAGES, display_name="Images")
    assert changed == attrs.evolve(made, display_name="Images")
    other = await rig.call_as(operator, "CreateProject", organisation="acme", project="b", display_name="B")
    assert other.canonical_id != made.canonical_id
    assert (other.display_name, other.email) == ("B", "")


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("CreateOrganisation", ACME, errors.EntityAlreadyExists),
        ("CreateProject", IMAGES, errors.EntityAlreadyExists),
        ("CreateProject", {"organisation": "x", "project": "y"}, errors.NoSuchEntity),
        ("ListProjects", {"organisation": "x"}, errors.NoSuchEntity),
        ("UpdateProject", {"organisation": "acme", "project": "y"}, errors.NoSuchEntity),
        ("DeleteProject", {"organisation": "acme", "project": "y"}, errors.NoSuchEntity),
        ("DeleteOrganisation", {"organisation": "x"}, errors.NoSuchEntity),
        ("DeleteOrganisation", ACME, errors.DeleteConflict),
        ("DeleteProject", {"organisation": "root", "project": "root"}, errors.DeleteConflict),
        ("CreatePrincipal", {**IMAGES, "principal": "alice", "role": Role.VIEWER}, errors.EntityAlreadyExists),
        ("SetRole", {**IMAGES, "principal": "bob", "role": Role.VIEWER}, errors.NoSuchEntity),
        ("DeletePrincipal", {**IMAGES, "principal": "bob"}, errors.NoSuchEntity),
        ("DeletePrincipal", {**IMAGES, "principal": "alice"}, errors.DeleteConflict),
        ("CreateAccessKey", {**IMAGES, "principal": "bob"}, errors.NoSuchEntity),
        ("CreateAccessKey", {**IMAGES, "principal": "alice", "access_key": "ROOT", "secret_key": "12345678"}, errors.EntityAlreadyExists),
        ("CreateAccessKey", {**IMAGES, "principal": "alice", "access_key": "HALF"}, errors.InvalidArgument),
        ("CreateAccessKey", {**IMAGES, "principal": "alice", "secret_key": "12345678"}, errors.InvalidArgument),
        ("ListAccessKeys", {**IMAGES, "principal": "bob"}, errors.NoSuchEntity),
        ("ListPrincipals", {"organisation": "acme"}, errors.InvalidArgument),
        ("ListPrincipals", {"project": "images"}, errors.InvalidArgument),
        ("ListOrganisations", {"max_items": 0}, errors.InvalidArgument),
        ("ListOrganisations", {"max_items": 1001}, errors.InvalidArgument),
    ],
)
async def test_what_is_refused(
    rig: Rig, operator: Caller, alice: Caller, name: str, fields: dict[str, Any], error: type[errors.StorError]
) -> None:
    """A wrong or missing name, a taken one, and what something depends on; refused, it changes nothing."""
    assert alice
    before = await generation(rig)
    with pytest.raises(error):
        await rig.call_as(operator, name, **fields)
    assert await generation(rig) == before


async def test_a_project_with_a_bucket_stays(rig: Rig, operator: Caller, alice: Caller) -> None:
    """It goes once the bucket has; its keys are none from then on, and the organisation can go too."""
    await rig.call_as(alice, "CreateBucket", bucket="mine")
    with pytest.raises(errors.DeleteConflict):
        await rig.call_as(operator, "DeleteProject", **IMAGES)
    await rig.call_as(alice, "DeleteBucket", bucket="mine")
    await rig.call_as(operator, "DeleteProject", **IMAGES)
    assert await identities(rig).find("ALICE") is None
    await rig.call_as(operator, "DeleteOrganisation", **ACME)
    assert "acme" not in {each.organisation for each in (await rig.call_as(operator, "ListOrganisations")).organisations}


async def test_lists_come_in_pages(rig: Rig, operator: Caller, alice: Caller) -> None:
    """Every list, to its end, each entry once, by name."""
    assert alice
    names = [f"n{number}" for number in range(LONG_LIST)]
    for name in names:
        await rig.call_as(operator, "CreateOrganisation", organisation=name)
        await rig.call_as(operator, "CreateProject", organisation="n0", project=name)
        await rig.call_as(operator, "CreatePrincipal", organisation="n0", project="n0", principal=name, role=Role.EDITOR)
        at = {"organisation": "n0", "project": "n0", "principal": "n1", "access_key": name.upper() * 2, "secret_key": "secret-secret"}
        if name != "n0":
            await rig.call_as(operator, "CreateAccessKey", **at)
    inside = {"organisation": "n0", "project": "n0"}
    for operation, fields, listed, entry, expected in (
        ("ListOrganisations", {}, "organisations", "organisation", ["acme", *names, "o", "root"]),
        ("ListProjects", {"organisation": "n0"}, "projects", "project", names),
        ("ListPrincipals", inside, "principals", "principal", names),
        ("ListAccessKeys", inside, "access_keys", "access_key", [name.upper() * 2 for name in names[1:]]),
        ("ListAccessKeys", {**inside, "principal": "n2"}, "access_keys", "access_key", []),
    ):
        for size in (1, 2, 1000):
            seen: list[str] = []
            token = None
            while True:
                page = await rig.call_as(operator, operation, **fields, max_items=size, continuation_token=token)
                assert len(getattr(page, listed)) <= size
                seen += [getattr(each, entry) for each in getattr(page, listed)]
                token = page.continuation_token
                if token is None:
                    break
            assert seen == expected, operation


# -- keys


async def test_a_key_is_random_unless_it_is_given(rig: Rig, alice: Caller) -> None:
    """Each time another; its secret is sealed in the store, and shows in no list and no repr."""
    made = [await rig.call_as(alice, "CreateAccessKey", principal="alice") for _ in range(2)]
    assert len({key.access_key for key in made} | {key.secret_key for key in made}) == 4
    assert all((len(key.access_key), len(key.secret_key)) == (20, 40) for key in made)
    listed = await rig.call_as(alice, "ListAccessKeys")
    for key in made:
        stored = await rig.metadata.read(lambda tx, key=key: tx.keys.get(key.access_key))
        assert stored is not None
        assert key.secret_key.encode() not in stored.secret
        assert rig.service.sealer.open(stored.secret, secret_context(key.access_key)).decode() == key.secret_key  # type: ignore[union-attr]
        assert key.secret_key not in repr(key) + repr(listed)
    request = operations()["CreateAccessKey"].input(principal="alice", access_key="GIVEN", secret_key="hush-hush-hush")
    assert "hush" not in repr(request)


async def test_a_revoked_key_is_kept_and_is_none(rig: Rig, alice: Caller) -> None:
    """It stays in lists, revoking it again is no error, and its id is taken until it is deleted."""
    second = (await rig.call_as(alice, "CreateAccessKey", principal="alice", access_key="SECOND", secret_key="second-secret")).access_key
    for _ in range(2):
        await rig.call_as(alice, "RevokeAccessKey", access_key=second)
    assert [(key.access_key, key.active) for key in (await rig.call_as(alice, "ListAccessKeys")).access_keys] == [
        ("ALICE", True),
        ("SECOND", False),
    ]
    assert await identities(rig).find(second) is None
    with pytest.raises(errors.EntityAlreadyExists):
        await rig.call_as(alice, "CreateAccessKey", principal="alice", access_key="SECOND", secret_key="second-secret")
    await rig.call_as(alice, "DeleteAccessKey", access_key=second)
    assert [key.access_key for key in (await rig.call_as(alice, "ListAccessKeys")).access_keys] == ["ALICE"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("RevokeAccessKey", {"access_key": "ROOT"}),
        ("DeleteAccessKey", {"access_key": "ROOT"}),
        ("SetRole", {"principal": "root", "role": Role.EDITOR}),
    ],
)
async def test_the_root_project_keeps_an_owner(rig: Rig, operator: Caller, name: str, fields: dict[str, Any]) -> None:
    """Its last active key of an owner neither goes nor loses its role; with a second one it does."""
    await rig.call_as(operator, "CreatePrincipal", principal="viewer", role=Role.VIEWER)
    await rig.call_as(operator, "CreateAccessKey", principal="viewer")
    with pytest.raises(errors.DeleteConflict):
        await rig.call_as(operator, name, **fields)
    assert (await found(rig, "ROOT")).operator
    await rig.call_as(operator, "CreateAccessKey", principal="root" if "access_key" in fields else "viewer")
    if "role" in fields:
        await rig.call_as(operator, "SetRole", principal="viewer", role=Role.OWNER)
    await rig.call_as(operator, name, **fields)


async def test_another_project_may_lose_its_last_owner(rig: Rig, operator: Caller, alice: Caller) -> None:
    """Operators can give it one again."""
    await rig.call_as(alice, "RevokeAccessKey", access_key="ALICE")
    await rig.call_as(operator, "CreateAccessKey", **IMAGES, principal="alice", access_key="AGAIN", secret_key="again-again")
    assert (await found(rig, "AGAIN")).role is Role.OWNER


async def test_keys_are_not_made_where_secrets_would_be_seen(rig: Rig, operator: Caller) -> None:
    """A service that seals none, since it is reached in the clear, makes none."""
    service = Service(metadata=rig.metadata, blobs=rig.blobs, settings=rig.service.settings)
    operation = operations()["CreateAccessKey"]
    with pytest.raises(errors.AccessDenied):
        await service.call(operation, operation.input(principal="root"), caller=operator, request_id="r")


@pytest.mark.parametrize("namespace", BucketNamespace)
async def test_tenants_and_the_names_of_buckets(namespace: BucketNamespace) -> None:
    """In every mode a project's usage and deletion look at its own buckets, whatever others call theirs."""
    rig = await make_rig(bucket_namespace=namespace)
    operator = attrs.evolve(rig.caller, operator=True)
    stranger = await enter_caller(rig.metadata, project("q", "x"))
    await rig.call("CreateBucket")
    await rig.put("k", b"123")
    there = {"organisation": "x", "project": "q"}
    with pytest.raises(errors.NoSuchBucket):
        await rig.call_as(operator, "GetTenantUsage", **there, bucket=BUCKET)
    assert (await rig.call_as(operator, "GetTenantUsage", bucket=BUCKET)).usage.bytes == 3
    assert (await rig.call_as(operator, "GetTenantUsage", **there, bucket=None)).usage.buckets == 0
    await rig.call_as(stranger, "CreateBucket", bucket="mine")
    with pytest.raises(errors.DeleteConflict):
        await rig.call_as(operator, "DeleteProject", **there)
    await rig.call_as(stranger, "DeleteBucket", bucket="mine")
    await rig.call_as(operator, "DeleteProject", **there)
    assert await rig.get("k") == b"123"
    await rig.close()
