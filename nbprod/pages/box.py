"""A box for HTML reports of other tools: they may run their own scripts, and reach nothing at all.

Such reports (evidently's among them) write data values into their scripts, and a value can come from one request to a
server. The box is a frame with a foreign origin whose policy lets nothing out, in a page whose policy forbids the
frame to go elsewhere: without the outer one, a script could still leave by navigating its own frame.
"""

from __future__ import annotations

import re
from html import escape as as_attribute
from html import unescape

from nbprod.visible import escape

__all__ = ["BOXED", "boxed", "unboxed"]

BOXED = ".boxed.html"  #: how the name of a boxed report ends

# A frame from ``srcdoc`` inherits the page's policy: the page allows what the report needs, and itself runs nothing.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; worker-src blob:; frame-src 'none'; base-uri 'none'; form-action 'none'"
)


def boxed(html: str, *, title: str, back: str = "") -> str:
    """A page that shows a foreign report in a box.

    Parameters
    ----------
    html
        The report, with everything it needs inside.
    title
        Plain text, for the page and the frame.
    back
        Address of the page to go back to; none when empty.
    """
    inner = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">{html}'
    link = f'<a href="{escape(back)}">Back</a> ' if back else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>html,body{height:100%;margin:0;font:15px system-ui,sans-serif}"
        "body{display:flex;flex-direction:column}h1{font-size:1rem;margin:0;padding:.5rem 1rem;font-weight:500}"
        "iframe{flex:1;border:0;border-top:1px solid #ccc;background:#fff}</style>\n</head>\n<body>\n"
        f"<h1>{link}{escape(title)}</h1>\n"
        f'<iframe sandbox="allow-scripts" referrerpolicy="no-referrer" title="{escape(title)}" '
        f'srcdoc="{as_attribute(inner)}"></iframe>\n</body>\n</html>\n'
    )


def unboxed(page: str) -> str:
    """The report in a page that :func:`boxed` made; of any other page, the page itself.

    A file that only calls itself boxed can thus be boxed for good.
    """
    match = re.fullmatch(
        r'<!DOCTYPE html>[^"]*"en">.*srcdoc="([^"<>]*)"></iframe>\n</body>\n</html>\n', page, re.DOTALL
    )
    inner = unescape(match[1]) if match else page
    return inner.removeprefix(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">')
