"""Paths: what names a file, and what is passed on."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from appliance.config.domains import StaticSite
from appliance.config.values import FilePath
from appliance.servers.web.dispatch import clean_path
from appliance.servers.web.site import mapping
from appliance.servers.web.site.paths import as_sent, segments_of


@pytest.mark.parametrize(
    ("path", "prefix", "segments"),
    [
        ("/", "/", []),
        ("/a/b", "/", ["a", "b"]),
        ("/a/b/", "/a/", ["b"]),
        ("/a", "/a", []),
        ("/ab", "/a", ["b"]),
        ("/a", "/b", None),
        ("/a", "", ["a"]),
        ("/site..", "/site", None),
        ("/site../etc", "/site", None),
        ("/site./x", "/site", None),
        ("/.git/config", "/", None),
        ("/a/.git", "/", None),
        ("/.well-known/security.txt", "/", [".well-known", "security.txt"]),
        ("/a/.well-known", "/", None),
        ("/.well-known/.x", "/", None),
    ],
)
def test_segments(path, prefix, segments):
    assert segments_of(path, prefix, dotfiles=False) == segments


@pytest.mark.parametrize(
    ("raw", "skip", "sent"),
    [
        ("/a/b", 0, "/a/b"),
        ("/a%2Fb", 0, "/a%2Fb"),
        ("/a%2fb/c", 4, "/c"),
        ("/a/%2e%2e/b", 0, "/b"),
        ("/a/..%2Fb", 0, "/b"),
        ("//a", 0, "/a"),
        ("/app/%C3%A9/x", 6, "/x"),
        ("/app/%C3%A9%2Fx", 5, "%C3%A9%2Fx"),
        ("/caf%E9", 0, "/caf%E9"),
        ("/caf%E9/x", 5, "/x"),
        ("/a%", 0, "/a%"),
        ('/a"<b', 0, "/a%22%3Cb"),
    ],
)
def test_passed_on(raw, skip, sent):
    from urllib.parse import unquote

    scope = {"raw_path": raw.encode(), "path": clean_path(unquote(raw))}
    assert as_sent(scope, skip) == sent


def site(root, **options) -> StaticSite:
    return StaticSite(root=FilePath(str(root)), **options)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with all that may be met in one, beside a secret."""
    top = tmp_path_factory.mktemp("tree")
    root = top / "root"
    for folder in ("sub", "sub/deep", ".hidden", "closed", ".well-known", "plain"):
        (root / folder).mkdir(parents=True)
    for name in (
        "a",
        "sub/b",
        "sub/deep/c",
        ".hidden/d",
        ".e",
        ".well-known/f",
        "closed/index.html",
        "rooted",
        "é",
        "a b",
    ):
        (root / name).write_text("public")
    (top / "secret").write_text("secret")
    (top / "rooted").write_text("secret")
    (top / "outside").mkdir()
    (top / "outside" / "s").write_text("secret")
    (root / "out").symlink_to("../secret")
    (root / "outdir").symlink_to("../outside")
    (root / "absolute").symlink_to(top / "secret")
    (root / "within").symlink_to("sub/b")
    (root / "withindir").symlink_to("sub")
    (root / "tohidden").symlink_to(".hidden/d")
    (root / "loop").symlink_to("loop")
    (root / "through").symlink_to("outdir/../root/a")
    (root / "chain").symlink_to("out")
    (root / "dead").symlink_to("nothing")
    os.mkfifo(root / "pipe")
    return root


def content(found) -> str:
    with open(found.descriptor, "rb") as file:
        return file.read().decode()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/a", "public"),
        ("/é", "public"),
        ("/a b", "public"),
        ("/a/", FileNotFoundError),
        ("/a/x", OSError),
        ("/sub", mapping.Slash),
        ("/sub/", None),
        ("/", None),
        ("/closed/", "public"),
        ("/closed/index.html", "public"),
        ("/nothing", FileNotFoundError),
        ("/" + "x" * 300, OSError),
        ("/within", "public"),
        ("/withindir/b", "public"),
        ("/withindir", mapping.Slash),
        ("/out", FileNotFoundError),
        ("/outdir/", FileNotFoundError),
        ("/outdir/s", FileNotFoundError),
        ("/absolute", FileNotFoundError),
        ("/chain", FileNotFoundError),
        # A link may go out and come in again: where it ends is what counts.
        ("/through", "public"),
        ("/dead", FileNotFoundError),
        ("/tohidden", FileNotFoundError),
        ("/loop", OSError),
        ("/pipe", FileNotFoundError),
        ("/.well-known/f", "public"),
    ],
)
def test_look(tree, path, kind):
    found = None
    segments = segments_of(path, "/", dotfiles=False)
    if isinstance(kind, type):
        with pytest.raises(kind):
            mapping.look(site(tree), segments, slash=path.endswith("/"))
        return
    found = mapping.look(site(tree), segments, slash=path.endswith("/"))
    if kind is None:
        assert found == mapping.Directory(None)
    else:
        assert content(found) == kind


def test_options(tree):
    assert content(mapping.look(site(tree, follow=True), ["out"], slash=False)) == "secret"
    assert content(mapping.look(site(tree, dotfiles=True), [".e"], slash=False)) == "public"
    assert content(mapping.look(site(tree, dotfiles=True), ["tohidden"], slash=False)) == "public"
    with pytest.raises(FileNotFoundError):
        mapping.look(site(tree, dotfiles=True), ["out"], slash=False)


def test_listing(tree, monkeypatch):
    listed = mapping.look(site(tree, list_files=True), [], slash=True)
    assert [one.name for one in listed.entries] == [
        *(".well-known", "a", "a b", "closed", "plain", "rooted", "sub", "through", "within", "withindir", "é")
    ]
    assert [one.is_directory for one in listed.entries if one.name in {"a", "sub", "withindir"}] == [False, True, True]
    everything = mapping.look(site(tree, list_files=True, follow=True, dotfiles=True), [], slash=True)
    assert {"out", "outdir", "absolute", ".e", ".hidden"} <= {one.name for one in everything.entries}
    monkeypatch.setattr(mapping.limits, "LISTING_ENTRIES", 3)
    few = mapping.look(site(tree, list_files=True), [], slash=True)
    assert (len(few.entries), few.more) == (3, True)


NAMES = st.sampled_from(
    [
        *("a sub deep b c .. . .hidden .e out outdir s absolute within withindir secret outside root rooted".split()),
        *("through chain loop pipe etc passwd tohidden closed index.html %2e%2e ..a ...".split()),
        *("", "..", "..", "a\0", "é"),
    ]
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(NAMES, max_size=7),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "/", "/a", "/sub", "/sub/", "/.", "/su"]),
    st.booleans(),
)
def test_nothing_leads_out_of_the_root(tree, names, slash, prefix, dotfiles):
    """Whatever the path, the prefix and the links: only what is below the root is seen."""
    for path in ("/" + "/".join(names) + slash, prefix + "/".join(names) + slash):
        cleaned = clean_path(path)
        if cleaned is None:
            continue
        segments = segments_of(cleaned, prefix, dotfiles=dotfiles)
        if segments is None:
            continue
        try:
            found = mapping.look(site(tree, list_files=True, dotfiles=dotfiles), segments, slash=cleaned.endswith("/"))
        except (OSError, mapping.Slash):
            continue
        if isinstance(found, mapping.OpenFile):
            assert content(found) == "public"
        else:
            assert "secret" not in {one.name for one in found.entries}
            assert "s" not in {one.name for one in found.entries}


def test_links_that_change_meanwhile(tree, monkeypatch):
    """Between looking where a path leads and going there, somebody puts a link in its place."""
    found = os.path.realpath(tree / "sub" / "b")
    monkeypatch.setattr(mapping.os.path, "realpath", lambda path: str(tree) if path == str(tree) else found)
    swapped = tree / "sub"
    moved = tree / "moved"
    swapped.rename(moved)
    swapped.symlink_to("../outside")
    try:
        with pytest.raises(OSError):
            mapping.open_below(site(tree), ["sub", "b"])
    finally:
        swapped.unlink()
        moved.rename(swapped)
