"""The evaluator against a second one that was written apart from it."""

from __future__ import annotations

import json

from hypothesis import event, given, settings
from hypothesis import strategies as st

import strategies
from lightningstor_server.auth.conditions import read_condition
from lightningstor_server.auth.patterns import context_key
from lightningstor_server.auth.policy import Request, evaluate, read_policy
from lightningstor_server.auth.policy_documents import Kind
from lightningstor_server.auth.principals import ANONYMOUS, Principal
from unit.auth.reference_policy import Asker, Question, condition, verdict

CALLERS = {"aws:username": ("al",), "aws:userid": ("a", "b")}


def principal(asker: Asker) -> Principal:
    """Who asks, in the server's words."""
    if asker.service is not None:
        return Principal.of_service(asker.service)
    if not asker.accounts:
        return ANONYMOUS
    return Principal.of_account(asker.accounts, asker.resource, canonical_id=asker.canonical_id, role=asker.role)


@settings(max_examples=600)
@given(
    documents=strategies.policies_and_contexts(),
    asker=strategies.policy_askers,
    action=strategies.policy_actions,
    resource=strategies.policy_resources,
)
def test_the_same_is_decided(documents, asker, action, resource) -> None:
    """Both say the same of every request, and a decision names a statement of its effect."""
    texts, context = documents
    question = Question(asker=Asker(**asker), action=action, resource=resource, context=context)
    request = Request(
        principal=principal(question.asker),
        action=action,
        resource=resource,
        context={context_key(key): values for key, values in context.items()},
    )
    decision = evaluate([read_policy(text, Kind.BUCKET, "b") for text in texts], request)
    event(decision.verdict.name)
    assert (decision.verdict.name, decision.delegated) == verdict(texts, question)
    if decision.policy is not None:
        statement = json.loads(texts[decision.policy])["Statement"][decision.statement]
        assert statement["Effect"].upper() == decision.verdict.name


@settings(max_examples=600)
@given(made=strategies.policy_conditions(), variables=st.booleans(), context=st.sampled_from([{}, CALLERS]))
def test_the_same_holds(made, variables, context) -> None:
    """Both take a condition for true or false alike: every operator, with no, one and several values on either side."""
    name, wanted, given_values = made
    texts = [{True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value for value in wanted]
    read = read_condition(name, "s3:delimiter", tuple(texts), variables=variables)
    holds = read.holds(context | {"s3:delimiter": given_values})
    event(f"{read.operator} {holds}")
    assert holds is condition(name, given_values, texts, context, variables=variables)
