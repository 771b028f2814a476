// Opens the documents of `ebb export --format automerge` with npm's `@automerge/automerge` and compares every value with
// the lines of `ebb export --format jsonl`. Usage: node documents.mjs FOLDER LINES
import { readFile, readdir } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import path from "node:path";
import * as Automerge from "@automerge/automerge";

const [folder, linesFile] = process.argv.slice(2);
const faults = [];
const MONTH = /^(\d{4})-(\d{2})\.automerge$/;

/** What is stored where it is usual: nothing. */
const USUAL = { status: "final", precision: "exact", source: "self" };

/** Milliseconds since 1970 in an id: its first 48 bits (RFC 9562). */
const timeOf = (id) => parseInt(id.replaceAll("-", "").slice(0, 12), 16);

/** A stored scalar in plain terms, as the JSON has it. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return { timestamp_ms: value.getTime() };
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (Automerge.isImmutableString(value)) return value.toString();
  return value;
}

/** An item of a document, by stored name, with what follows from its id or is usual filled in. */
function stored(id, item) {
  const { at, offset = 0, ...fields } = Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plain(value)]));
  const second = Math.floor(timeOf(id) / 1000) * 1000;
  return { ...USUAL, at: at?.timestamp_ms ?? second, offset, ...fields };
}

/** Minutes and hours behind a time, in seconds. */
function offsetOf(text) {
  const [, sign, hours, minutes] = /([+-])(\d{2}):(\d{2})$/.exec(text) ?? fail(`no offset in ${text}`);
  return (sign === "-" ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60);
}

function fail(what) {
  throw new Error(what);
}

/** A line of the JSON, by stored name: a field asked part by part is one object there, and one field a part here. */
function shown(line, hasAuthor) {
  const { id, recorded_at, author, at, ...fields } = line;
  if (Date.parse(recorded_at) !== timeOf(id)) faults.push(`${id}: recorded at ${recorded_at}`);
  const flat = { ...USUAL, at: Date.parse(at), offset: offsetOf(at) };
  if (hasAuthor) flat.author = [author.person, author.device];
  for (const [name, value] of Object.entries(fields)) {
    const isParts = value !== null && typeof value === "object" && !Array.isArray(value) && !("bytes" in value) && !("timestamp_ms" in value);
    if (!isParts) flat[name] = value;
    else for (const [part, answer] of Object.entries(value)) flat[`${name}_${part.replaceAll("-", "_")}`] = answer;
  }
  return flat;
}

const lines = new Map((await readFile(linesFile, "utf8")).trimEnd().split("\n").map(JSON.parse).map((line) => [line.id, line]));
const found = new Set();
let months = 0;
let values = 0;
let profiles = 0;
for (const name of await readdir(folder)) {
  const document = Automerge.load(await readFile(path.join(folder, name)));
  const month = MONTH.exec(name);
  if (!month) {
    profiles += 1;
    if (plain(document.patient.zone) !== "Europe/Berlin") faults.push(`${name}: no zone at home`);
    continue;
  }
  months += 1;
  for (const [id, item] of Object.entries(document)) {
    found.add(id);
    const begins = new Date(timeOf(id)).toISOString().slice(0, 7);
    if (name !== `${begins}.automerge`) faults.push(`${id} of ${begins} is in ${name}`);
    if (!lines.has(id)) {
      faults.push(`${id} is in no line`);
      continue;
    }
    const [here, there] = [stored(id, item), shown(lines.get(id), "author" in item)];
    values += Object.keys(here).length;
    for (const field of new Set([...Object.keys(here), ...Object.keys(there)])) {
      if (!isDeepStrictEqual(here[field], there[field])) {
        faults.push(`${id} ${field}: ${JSON.stringify(here[field])} in the document, ${JSON.stringify(there[field])} in the line`);
      }
    }
  }
}
for (const id of lines.keys()) if (!found.has(id)) faults.push(`${id} is in no document`);
if (months < 2 || profiles !== 1) faults.push(`${months} months and ${profiles} profiles`);
for (const line of faults) console.error(line);
console.log(`documents: ${found.size} entries and ${values} values in ${months} months, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
