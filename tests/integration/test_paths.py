"""Which paths can be, and which cannot."""

import pytest
from rawzk import BADARGUMENTS, SEQUENTIAL, create, delete, exists, get_children

GOOD = {
    "letter": "a",
    "long": "x" * 1000,
    "dot first": ".a",
    "dots last": "a..",
    "three dots": "...",
    "space": "a b",
    "blank alone": " ",
    "latin": "\u00a0\u00e9",
    "before the surrogates": "\ud7ff",
    "after private use": "\uf900",
    "before the specials": "\uffef",
    "greek, chinese": "λόγος-選舉",
    "punctuation": "!\"#$%&'()*+,-:;<=>?@[\\]^_`{|}~",
}

BAD = {
    "empty": "",
    "no slash": "a",
    "double slash": "//",
    "double slash inside": "/a//b",
    "trailing slash": "/a/",
    "dot": "/.",
    "dot inside": "/./a",
    "dot last": "/a/.",
    "dot dot": "/..",
    "dot dot inside": "/a/../b",
    "dot dot last": "/a/..",
    "zero": "/a\u0000b",
    "control 01": "/a\u0001",
    "control 1f": "/a\u001f",
    "control 7f": "/a\u007f",
    "control 9f": "/a\u009f",
    "tab": "/a\tb",
    "private use e000": "/a\ue000",
    "private use f8ff": "/a\uf8ff",
    "special fff0": "/a\ufff0",
    "special ffff": "/a\uffff",
}


@pytest.mark.parametrize("name", GOOD.values(), ids=GOOD.keys())
def test_good_name(s, root, name):
    path = f"{root}/{name}"
    assert s.ok(create(path)) == path
    assert s.ok(get_children(root)) == [name]
    assert s.ok(exists(path)).version == 0
    s.ok(delete(path))


@pytest.mark.parametrize("path", BAD.values(), ids=BAD.keys())
def test_bad_path_cannot_be_created_or_deleted(s, path):
    assert s.err(create(path)) in (BADARGUMENTS, -101)
    assert s.err(delete(path)) in (BADARGUMENTS, -101)


@pytest.mark.parametrize(
    "path", [p for p in BAD.values() if p.count("/") == 1 and len(p) > 1], ids=repr
)
def test_bad_name_below_the_root_is_a_bad_argument(s, path):
    assert s.err(create(path)) == BADARGUMENTS


def test_sequential_name_may_end_in_a_slash(s, root):
    assert s.ok(create(f"{root}/", flags=SEQUENTIAL)) == f"{root}/0000000000"


def test_sequential_dots_become_a_name(s, root):
    assert s.ok(create(f"{root}/.", flags=SEQUENTIAL)) == f"{root}/.0000000000"
    assert s.ok(create(f"{root}/..", flags=SEQUENTIAL)) == f"{root}/..0000000001"


def test_root_exists_already(s):
    assert s.err(create("/")) in (BADARGUMENTS, -110)


def test_deep_paths_are_fine(s, root):
    path = root
    for n in range(200):
        path = s.ok(create(f"{path}/{n}"))
    assert s.ok(exists(path)).num_children == 0
