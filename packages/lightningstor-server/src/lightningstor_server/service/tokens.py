"""The operation that issues bearer tokens.

Law: a token is issued for a signature and never for another token (the front sees to that), so what
was stolen ends within TOKEN_SECONDS. Without `Service.bearers`, which is so where tokens would
travel in the clear, there are none.
"""

from __future__ import annotations

from lightningstor_server.auth.tokens import TOKEN_SECONDS
from lightningstor_server.service.core import Context
from lightningstor_server.service.operation import operation
from lightningstor_types.errors import AccessDenied
from lightningstor_types.operations.tokens import IssueToken, IssueTokenResult


@operation(IssueToken, rpc="TokenService.Issue", action="lightningstor:IssueToken")
async def issue_token(ctx: Context, _: IssueToken) -> IssueTokenResult:
    """A token of the caller's access key. Every role may."""
    if ctx.service.bearers is None:
        raise AccessDenied("Bearer tokens are not taken here: they need TLS, or the server's --insecure.")
    issued = await ctx.service.bearers.issue(ctx.caller.access_key)
    return IssueTokenResult(token=issued.token, expires=issued.expires, lifetime_seconds=TOKEN_SECONDS)
