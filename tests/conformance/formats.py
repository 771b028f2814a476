#!/usr/bin/env python3
"""Reads what `ebb export` wrote with other people's software, and says where it is not what it claims to be.

Takes the path of the `ebb` binary and an empty folder, fills a journal there with every kind of entry, and exports it.

FHIR: every resource is read by `fhir.resources` (its R4B models: the package has none of R4 itself),
every reference points at something, and the lines of bulk data are the resources of the Bundle. Tables: validated by
`frictionless` against their own Table Schema, and one row for each entry. Codes: LOINC's check digit is mod 10 (Luhn),
SNOMED CT's is Verhoeff's; a mistyped code cannot pass.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

from fhir.resources.R4B import get_fhir_model_class
from frictionless import Package

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"

# Lists of words that the models end with "+"; in full as R4's value sets have them.
CUT_SHORT = {
    "Observation.status": "registered preliminary final amended corrected cancelled entered-in-error unknown".split(),
}

# At least one line for each kind; a kind that `ebb help kinds` names and no line logs is a failure.
LINES = [
    ["6", "arms", "legs", "after the stairs; \"quoted\", and\na second line"],
    ["fatigue", "--level", "unable", "--weakness", "legs=skipped", "--tag", "stairs"],
    ["activity", "walking", "20m", "--eased", "yes", "--payback", "24h"],
    ["dose", "amifampridine", "7.5mg", "--at", "2025-03-01 08:00"],
    ["dose", "amifampridine", "--skipped", "--reason", "out of it"],
    ["wearing-off", "legs", "2"],
    ["infusion", "IVIG", "70g", "--day", "2/5"],
    ["sleep", "--tried", "23:00", "--wake", "06:00", "--latency", "20m", "--at", "yesterday 07:00"],
    ["sleep", "--naps", "1", "--nap", "20m", "--alcohol", "skipped"],
    ["factor", "heat", "31C"],
    ["factor", "weather", "yes"],
    ["symptom", "--dry-mouth", "2", "--speech", "3", "--breathing", "lying-flat"],
    ["test", "3tug", "12.1", "12.8", "14.0"],
    ["exercise", "sit to stand", "--sets", "2", "--reps", "8", "--effort", "4"],
    ["score", "FSS", "5.2"],
    ["event", "fall", "in the hall"],
    ["question", "could the third dose move?", "--tag", "concern"],
    ["note", "=1+1"],
]


class Wrong(Exception):
    """An export that is not what it claims to be."""


def check(holds, message):
    if not holds:
        raise Wrong(message)


def loinc_stands(code):
    """Mod 10 over the digits before the hyphen, the last one doubled first."""
    match = re.fullmatch(r"(\d{1,7})-(\d)", code)
    if not match:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(match[2])


def dihedral(left, right):
    """The product in the dihedral group of ten elements, rotations first."""
    if left < 5:
        return (left + right) % 5 + (5 if right >= 5 else 0)
    return (left - right) % 5 + (0 if right >= 5 else 5)


PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def snomed_stands(code):
    """Verhoeff over all digits, the check digit last."""
    if not re.fullmatch(r"[1-9]\d{5,17}", code):
        return False
    check_value = 0
    for place, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(place % 8):
            value = PERMUTATION[value]
        check_value = dihedral(check_value, value)
    return check_value == 0


def try_check_digits():
    """Published codes stand, and each of them with any one digit changed does not."""
    for stands, codes in [
        (loinc_stands, ["8867-4", "29463-7", "72514-3"]),
        (snomed_stands, ["22298006", "73211009", "404684003"]),
    ]:
        for code in codes:
            check(stands(code), f"the check itself is wrong: {code} does not stand")
            for place, old in enumerate(code):
                for new in "0123456789" if old.isdigit() else "":
                    other = code[:place] + new + code[place + 1 :]
                    check(new == old or not stands(other), f"the check itself is wrong: {other} stands")


class Ebb:
    """The binary, with a home of its own and nothing of the caller's environment."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def __call__(self, *line):
        environment = {"EBB_HOME": str(self.folder / "home"), "HOME": str(self.folder), "TZ": "Europe/Berlin"}
        done = subprocess.run([self.program, *line], env=environment, capture_output=True, text=True)
        check(done.returncode == 0, f"ebb {' '.join(line)}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def export(self, style, name):
        path = self.folder / name
        self("export", "--format", style, "--out", str(path))
        return path


def walk(value):
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def read_resource(resource):
    """Reads a resource by its model; unknown fields, wrong types and missing ones raise.

    The models list the words that a field must be one of, and do not check them: this does, for the resource's own fields.
    """
    model = get_fhir_model_class(resource["resourceType"])
    read = model.model_validate(resource)
    for name, field in model.model_fields.items():
        words = (field.json_schema_extra or {}).get("enum_values")
        words = CUT_SHORT.get(f"{resource['resourceType']}.{name}", words)
        if words and (field.alias or name) in resource:
            word = resource[field.alias or name]
            check(word in words, f"{resource['resourceType']}.{name} is {word}, and not one of {words}")
    check(read.id == resource["id"], f"{resource['resourceType']} {resource['id']} is read as {read.id}")


def codes_of(document):
    """The codes of LOINC and SNOMED CT in it."""
    return {
        (one["system"], one["code"])
        for one in walk(document)
        if one.get("system") in (LOINC, SNOMED) and "code" in one
    }


def check_fhir(ebb, entries):
    bundle = json.loads(ebb.export("fhir", "bundle.json").read_text())
    get_fhir_model_class("Bundle").model_validate(bundle)
    resources = [entry["resource"] for entry in bundle["entry"]]
    addresses = {entry["fullUrl"] for entry in bundle["entry"]}
    check(len(addresses) == len(resources), "two resources have one address")
    ids = {resource["id"] for resource in resources}
    for entry in entries:
        check(entry["id"] in ids, f"{entry['kind']} {entry['id']} is not in the Bundle")
    lines = [json.loads(line) for line in ebb.export("fhir-ndjson", "lines.ndjson").read_text().splitlines()]
    check([line["id"] for line in lines] == [one["id"] for one in resources], "the lines are not those of the Bundle")
    names = {f"{line['resourceType']}/{line['id']}" for line in lines}
    for resource in resources + lines:
        read_resource(resource)
    for document, known in [(resources, addresses), (lines, names)]:
        found = [one["reference"] for one in walk(document) if "reference" in one]
        check(found, "nothing points at the patient")
        for reference in found:
            check(reference in known, f"{reference} points at nothing")
    codes = codes_of(resources)
    systems = {system for system, _ in codes}
    check(systems == {LOINC, SNOMED}, f"only codes of {systems}")
    for system, code in sorted(codes):
        stands = loinc_stands(code) if system == LOINC else snomed_stands(code)
        check(stands, f"{system} {code} has a wrong check digit")
    return len(resources), len(codes)


def check_tables(ebb, entries):
    folder = ebb.export("csv", "tables")
    report = Package(str(folder / "datapackage.json")).validate()
    check(report.valid, f"tables: {report.flatten(['name', 'rowNumber', 'fieldName', 'message'])}")
    described = {task.name: task.stats["rows"] for task in report.tasks}
    kinds = {}
    for entry in entries:
        kinds[entry["kind"]] = kinds.get(entry["kind"], 0) + 1
    check(described == kinds, f"the tables have {described} rows, the journal has {kinds}")
    files = {path.stem for path in pathlib.Path(folder).glob("*.csv")}
    check(files == set(described), f"files {files}, described {set(described)}")
    return len(described)


def main():
    program, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    try_check_digits()
    ebb = Ebb(program, folder)
    ebb("init", "--name", "Ana")
    for line in LINES:
        ebb(*line)
    entries = json.loads(ebb("list", "--json"))
    deleted = next(entry["id"] for entry in entries if entry["kind"] == "note")
    ebb("comment", entries[0]["id"], "better by noon")
    ebb("delete", deleted)
    lines = ebb.export("jsonl", "all.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    check(deleted in {entry["id"] for entry in entries}, "the deleted entry is not in the export")
    named = set(re.findall(r"^## `([a-z-]+)`$", ebb("help", "kinds"), re.MULTILINE))
    logged = {entry["kind"] for entry in entries}
    check(named and named <= logged, f"no line logs {sorted(named - logged)}")
    resources, codes = check_fhir(ebb, entries)
    tables = check_tables(ebb, entries)
    print(f"formats: {len(entries)} entries of {len(logged)} kinds; {resources} FHIR resources, {codes} codes, {tables} tables")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"formats: {wrong}")
