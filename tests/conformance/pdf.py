#!/usr/bin/env python3
"""Checks reports as PDF with other people's software: pypdf from PyPI, poppler and qpdf from Debian.

Usage: pdf.py PAGE.html:PAGE.pdf…, each a report in both forms. Of each PDF: it is sound; one sheet; title and language; marked and
tagged, with a tree in which every piece of content has its one place, every figure its words and every table its heads; PDF/UA-1
claimed; fonts embedded; drawn in shades of grey with no image; nothing that acts or asks; no word outside the margins or over
another; and all that the HTML says can be selected, in the same order.
"""

import collections
import html.parser
import itertools
import re
import subprocess
import sys

import pypdf

MARGIN = 28
# What pypdf reports as operands of colours, by operator, is grey with these.
GREYS = {b"g", b"G", b"cs", b"CS", b"sc", b"SC", b"scn", b"SCN"}
COLOURS = {b"rg", b"RG", b"k", b"K"}
SHOWS = {b"Tj", b"TJ", b"'", b'"'}
PAINTS = {b"f", b"F", b"f*", b"S", b"s", b"B", b"B*", b"b", b"b*", b"Do", b"sh"}


class Html(html.parser.HTMLParser):
    """The texts of a page's blocks in order, its language, and the words of its pictures."""

    BLOCKS = {"h1", "h2", "p", "li", "td", "th"}

    def __init__(self, source):
        super().__init__()
        self.lang, self.blocks, self.words, self.open = None, [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        if tag == "html":
            self.lang = dict(attributes)["lang"]
        if tag in self.BLOCKS:
            self.blocks.append((tag, ""))
        if tag == "svg":
            self.words.append([])
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "svg" in self.open:
            if self.open[-1] in ("title", "desc"):
                self.words[-1].append(data)
        elif self.BLOCKS & set(self.open):
            tag, text = self.blocks[-1]
            self.blocks[-1] = (tag, text + data)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def plain(text):
    return " ".join(text.split())


def children(element):
    kids = element.get("/K", [])
    kids = kids if isinstance(kids, list) else [kids]
    return [kid.get_object() if hasattr(kid, "get_object") else kid for kid in kids]


def walk(element):
    """Every structure element below, in reading order."""
    for kid in children(element):
        if isinstance(kid, pypdf.generic.DictionaryObject) and "/S" in kid:
            yield kid
            yield from walk(kid)


def marks(element):
    """The marked content that an element holds itself."""
    for kid in children(element):
        if isinstance(kid, int):
            yield int(kid)
        elif isinstance(kid, pypdf.generic.DictionaryObject) and kid.get("/Type") == "/MCR":
            yield int(kid["/MCID"])


def check_document(reader, page, fault):
    catalog = reader.trailer["/Root"]
    title = plain(dict(page.blocks)["h1"])
    if len(reader.pages) != 1:
        fault(f"{len(reader.pages)} sheets")
    if reader.metadata.title != title:
        fault(f"title {reader.metadata.title!r}, the page's is {title!r}")
    if catalog.get("/Lang") != page.lang:
        fault(f"language {catalog.get('/Lang')!r}, the page's is {page.lang!r}")
    if catalog.get("/MarkInfo", {}).get("/Marked") != True:  # noqa: E712 (a PDF boolean)
        fault("not marked as tagged")
    if catalog.get("/ViewerPreferences", {}).get("/DisplayDocTitle") != True:  # noqa: E712
        fault("a reader would show the file's name, not its title")
    if b"<pdfuaid:part>1</pdfuaid:part>" not in catalog["/Metadata"].get_object().get_data():
        fault("does not claim PDF/UA-1")
    for name in ("/OpenAction", "/AA", "/AcroForm"):
        if name in catalog:
            fault(f"the document has {name}")
    if "/Annots" in reader.pages[0] or "/AA" in reader.pages[0]:
        fault("the sheet has something that acts")
    headings = [plain(text) for tag, text in page.blocks if tag == "h2"]
    outline = [plain(entry.title) for entry in reader.outline]
    if outline != headings:
        fault(f"outline {outline}, headings {headings}")


def check_tree(reader, page, fault):
    elements = list(walk(reader.trailer["/Root"]["/StructTreeRoot"]))
    counts = collections.Counter(element["/S"][1:] for element in elements)
    expected = collections.Counter(tag for tag, _ in page.blocks)
    same = {"H1": "h1", "H2": "h2", "P": "p", "LI": "li", "TH": "th", "TD": "td"}
    for role, tag in same.items():
        if counts[role] != expected[tag]:
            fault(f"{counts[role]} {role} in the tree, {expected[tag]} <{tag}> on the page")
    figures = [element for element in elements if element["/S"] == "/Figure"]
    told = [plain(figure.get("/Alt", "")) for figure in figures]
    words = [plain(". ".join(words)) for words in page.words]
    if told != words:
        fault(f"figures say {told}, pictures {words}")
    for table in (element for element in elements if element["/S"] == "/Table"):
        rows = [row for row in walk(table) if row["/S"] == "/TR"]
        if len({len(children(row)) for row in rows}) != 1:
            fault("a table's rows differ in length")
        heads = [cell for cell in children(rows[0])]
        if any(cell["/S"] != "/TH" or "/Column" not in str(cell.get("/A")) for cell in heads):
            fault("a table's first row is not of heads of columns")
    return [mark for element in elements for mark in marks(element)]


def check_content(reader, placed, fault):
    """Each mark stands in the tree once, and nothing is drawn outside a mark."""
    content = pypdf.generic.ContentStream(reader.pages[0].get_contents(), reader)
    open_marks, seen, painted = [], [], 0
    for operands, operator in content.operations:
        if operator in (b"BDC", b"BMC"):
            properties = operands[1] if len(operands) > 1 else {}
            mark = properties.get("/MCID") if hasattr(properties, "get") else None
            if mark is not None:
                seen.append(int(mark))
            open_marks.append(mark)
        elif operator == b"EMC":
            open_marks.pop()
        elif operator in SHOWS | PAINTS:
            painted += 1
            if not open_marks:
                fault(f"{operator.decode()} is neither tagged nor decoration")
        elif operator in COLOURS:
            fault(f"a colour: {operator.decode()}")
        if operator == b"Do":
            fault("an image or another sheet is drawn")
    if sorted(placed) != sorted(seen):
        fault("the tree and the marks differ")
    if not painted:
        fault("nothing is drawn")


def check_fonts(reader, fault):
    fonts = reader.pages[0]["/Resources"]["/Font"].get_object()
    for name, font in fonts.items():
        font = font.get_object()
        inner = font.get("/DescendantFonts", [font])[0].get_object()
        descriptor = inner.get("/FontDescriptor", {})
        if not {"/FontFile2", "/FontFile3"} & set(descriptor) or "/ToUnicode" not in font:
            fault(f"font {name} is not embedded, or has no characters")


def check_places(file, fault):
    boxes = run("pdftotext", "-bbox", file, "-").stdout
    width, height = map(float, re.search(r'<page width="([\d.]+)" height="([\d.]+)"', boxes).groups())
    pattern = r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>'
    words = [(*map(float, found[:4]), found[4]) for found in re.findall(pattern, boxes)]
    if not words:
        fault("no word can be selected")
    for left, top, right, bottom, word in words:
        if left < MARGIN or right > width - MARGIN + 1 or top < MARGIN - 4 or bottom > height - MARGIN + 4:
            fault(f"{word!r} is outside the margins")
    for one, other in itertools.combinations(words, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        # The boxes are as high as the font's tallest letters, higher than lines are apart.
        down = min(one[3], other[3]) - max(one[1], other[1])
        if across > 0.5 and down > 0.35 * min(one[3] - one[1], other[3] - other[1]):
            fault(f"{one[4]!r} and {other[4]!r} overlap")


def check_text(file, page, fault):
    text = plain(run("pdftotext", "-raw", file, "-").stdout)
    at = 0
    for tag, block in page.blocks:
        block = plain(block)
        found = text.find(block, at)
        if found < 0:
            fault(f"<{tag}> is not there, or out of order: {block!r}")
        else:
            at = found + len(block)


def check(pair):
    source, file = pair.split(":")
    faults = []
    fault = lambda what: faults.append(f"{file}: {what}")
    sound = run("qpdf", "--check", file)
    if sound.returncode != 0:
        fault(f"qpdf: {plain(sound.stdout + sound.stderr)}")
    with open(source, encoding="utf-8") as stream:
        page = Html(stream.read())
    reader = pypdf.PdfReader(file, strict=True)
    check_document(reader, page, fault)
    check_content(reader, check_tree(reader, page, fault), fault)
    check_fonts(reader, fault)
    check_places(file, fault)
    check_text(file, page, fault)
    return faults


def main():
    pairs = sys.argv[1:]
    if not pairs:
        sys.exit("usage: pdf.py PAGE.html:PAGE.pdf...")
    faults = [fault for pair in pairs for fault in check(pair)]
    for line in faults:
        print(line, file=sys.stderr)
    print(f"pdf: {len(pairs)} reports, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
