"""What a document in Markdown asks its reader to do: fenced blocks, and the comments that say how they are meant."""

import dataclasses
import re

FENCE = re.compile(r"^```(\w*)\s*$")
COMMENT = re.compile(r"^<!-- (file|background until|not run|numbers vary|ctrl-c|killed):(.*?)-->$")


class BadDocument(Exception):
    pass


@dataclasses.dataclass
class Block:
    line: int
    language: str
    text: str
    how: str = ""  # file, background until, not run; of a ```text numbers vary; ctrl-c has no block
    what: str = ""
    expected: list = dataclasses.field(default_factory=list)  # patterns of the ```text blocks behind it


def read(source, name):
    """The blocks in order; ```text behind a ```sh is its expected output."""
    blocks, lines, at = [], source.splitlines(), 0
    how = what = ""
    between = False  # something stands between the last block and here
    while at < len(lines):
        line, place = lines[at], f"{name}:{at + 1}"
        at += 1
        if line.startswith("<!--") and (found := COMMENT.match(line)):
            how, what = found[1], found[2].strip()
            if not what:
                raise BadDocument(f"{place}: '{how}' of what?")
            if how in ("ctrl-c", "killed"):
                blocks.append(Block(at, "", "", how, what))
                how = what = ""
            continue
        fence = FENCE.match(line)
        if fence is None:
            if line.startswith("```"):
                raise BadDocument(f"{place}: this fence is not understood")
            if line.strip():
                if how:
                    raise BadDocument(f"{place}: between '{how}' and its block")
                between = True
            continue
        first = at
        while at < len(lines) and lines[at] != "```":
            at += 1
        if at == len(lines):
            raise BadDocument(f"{place}: the fence does not end")
        block = Block(first, fence[1], "\n".join(lines[first:at]) + "\n", how, what)
        at += 1
        how = what = ""
        previous = blocks[-1] if blocks else None
        if block.language == "text" and block.how in ("", "numbers vary") and previous and previous.language == "sh" and not between:
            previous.expected.append(output_pattern(block.text, block.how == "numbers vary"))
        else:
            check(block, name)
            blocks.append(block)
        between = False
    return blocks


def check(block, name):
    place = f"{name}:{block.line}"
    if block.language in ("console", "bash", "shell"):
        raise BadDocument(f"{place}: commands are in ```sh blocks, so that they are run")
    if block.how == "background until" and block.language != "sh":
        raise BadDocument(f"{place}: only commands run in the background")
    if block.language in ("c", "cpp", "python") and not block.how:
        raise BadDocument(f"{place}: code is a file that a later block runs, or says why it is not run")


def literally(piece, numbers_vary):
    if not numbers_vary:
        return re.escape(piece)
    words = re.split(r"([0-9][0-9,.:]*|\s+)", piece)
    return "".join(r"[0-9][0-9,.:]*" if w[:1].isdigit() else r"\s+" if w.isspace() else re.escape(w) for w in words)


def output_pattern(expected, numbers_vary=False):
    parts = []
    for line in expected.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[^\n]*".join(literally(piece, numbers_vary) for piece in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.compile("".join(parts))
