from html.parser import HTMLParser

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "--><script>alert(1)</script><!--",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x1b[31m\ud800",
    "]]><script>alert(1)</script>",
    "<template><img src=x onerror=alert(1)></template>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=//evil.example><button>x</button></form>",
    "<p style='background:url(//evil.example)'>x</p>",
    "<img src=//evil.example/x.png>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<body onload=alert(1)>",
    "<object data=javascript:alert(1)></object>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><animate onbegin='alert(1)' attributeName='x' dur='1s'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><image href='http://evil.example/x.png'/></svg>",
    "<input autofocus onfocus=alert(1)>",
    "<style>@import '//evil.example/x.css'; *{background:url(//evil.example)}</style>",
    'graph TD; A["<img src=x onerror=alert(1)>"] --> B; click A "javascript:alert(1)"',
    "$$\\href{javascript:alert(1)}{x}$$ [x](javascript:alert(1)) ![x](http://evil.example/x.png)",
)


class Active(HTMLParser):
    """Everything in a piece of HTML that could run, load or send."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "iframe", "object", "embed", "base", "form", "template", "audio", "video", "math"}:
            self.found.append(tag)
        if tag == "meta" and dict(attrs).get("http-equiv", "").lower() == "refresh":
            self.found.append("refresh")
        for name, given in attrs:
            value = (given or "").strip().lower()
            if name.startswith("on"):
                self.found.append(f"{tag} {name}")
            if name in {"src", "srcset", "data", "action", "formaction", "poster"} and not value.startswith(
                "data:image/"
            ):
                self.found.append(f"{tag} {name}={value}")
            if name == "href" and (
                value.startswith(("javascript:", "data:text")) or (tag == "link" and "//" in value[:8])
            ):
                self.found.append(f"{tag} {name}={value}")
            if name == "style" and ("url(" in value or "expression" in value):
                self.found.append(f"{tag} style={value}")


def active(html):
    parser = Active()
    parser.feed(html)
    parser.close()
    return parser.found
