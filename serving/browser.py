"""What every answer tells a browser: what it may load, who may show it, what it passes on."""

from __future__ import annotations

from aiohttp import web

SECURITY = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """Add to an answer, errors and redirects too, what it does not say for itself."""
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
