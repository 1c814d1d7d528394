"""The door of the workbench: a form that takes an API key of the gateway, and nothing else. Plain HTML, no script."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fhir_profiles.issues import Language
from gateway.outcomes import language_of
from gateway.workbench.guard import COOKIE, LOGIN, token_of
from gateway.workbench.sessions import Sessions
from gateway.workbench.words import say

HOME = "/workbench"
LONGEST_FORM = 4096
PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif }}
body {{ max-width: 26rem; margin: 12vh auto; padding: 0 1rem; line-height: 1.5 }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin: .4rem 0 }}
button {{ background: #14508c; color: #fff; border: 0; border-radius: .3rem }}
.no {{ color: #b3261e }} @media (prefers-color-scheme: dark) {{ .no {{ color: #f2b8b5 }} }}
</style></head><body><main><h1>{title}</h1><p>{about}</p>{refused}<form method="post">
<label for="key">{label}</label><input id="key" name="key" type="password" autocomplete="off" required autofocus>
<button type="submit">{enter}</button></form></main></body></html>"""


def add_login(app: FastAPI, sessions: Sessions) -> None:
    """Add the routes of the door. Behind a TLS proxy (`X-Forwarded-Proto`) the cookie is for TLS only."""

    @app.get(LOGIN)
    async def form(request: Request) -> Response:
        return _page(_language(request), status=200)

    @app.post(LOGIN)
    async def enter(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_FORM:
                return _page(_language(request), status=413)
        key = parse_qs(body.decode("latin-1"), max_num_fields=5).get("key", [""])[0].strip()
        token = sessions.open(key, _language(request))
        if token is None:
            return _page(_language(request), status=401)
        answer = RedirectResponse(HOME, status_code=303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    @app.post("/workbench/logout")
    async def leave(request: Request) -> Response:
        sessions.close(token_of(request.scope["headers"]))
        answer = RedirectResponse(LOGIN, status_code=303)
        answer.delete_cookie(COOKIE, path="/")
        return answer


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language", ""))


def _page(language: Language, *, status: int) -> Response:
    refused = "" if status == 200 else f'<p class="no" role="alert">{escape(say("login-refused", language))}</p>'
    return HTMLResponse(
        PAGE.format(
            language=language,
            title=escape(say("title", language)),
            about=escape(say("login-about", language)),
            label=escape(say("login-label", language)),
            enter=escape(say("login-enter", language)),
            refused=refused,
        ),
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )
