#!/usr/bin/env python3
"""Reproduces ebb's golden vectors without a line of ebb's code.

Reads every JSON file of the folder given. Each is an object of sections; bytes are lower-case hex. A section's name says
which function below checks it (SECTIONS); a section may also be a list, each item of which is checked alike. A section
without a check, and a field that no check reads, is a failure: nothing passes unread. The script first tries its own
primitives on published vectors.

Sources: the byte-level specification beside the vectors; RFC 8032 (Ed25519), RFC 5869 (HKDF), RFC 8439
(ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03, RFC 9180 (HPKE), draft-connolly-cfrg-xwing-kem (X-Wing), RFC 8949
section 4.2.1 (canonical CBOR), RFC 1951 (DEFLATE), Nikitin et al. 2019 (Padme), BIP39 (its English list of words).
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys
import zlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic


class Mismatch(Exception):
    """A vector that does not reproduce."""


class Fields:
    """The fields of one section; remembers which were read, so that none is passed over."""

    def __init__(self, values):
        self.values = values
        self.unread = set(values)

    def plain(self, name):
        self.unread.discard(name)
        return self.values[name]

    def hex(self, name):
        return bytes.fromhex(self.plain(name))

    def finish(self):
        if self.unread:
            raise Mismatch(f"fields that the check does not read: {', '.join(sorted(self.unread))}")


def expect(what, actual, wanted):
    if actual != wanted:
        show = lambda value: value.hex() if isinstance(value, bytes) else repr(value)
        raise Mismatch(f"{what}: computed {show(actual)}, the vector says {show(wanted)}")


# --- primitives ---------------------------------------------------------------------------------------------------

def message(domain, parts):
    """What a hash or a signature of a domain covers: its prefix, a zero byte, the parts joined."""
    return domain.encode("ascii") + b"\0" + b"".join(parts)


def domain_hash(domain, parts):
    return hashlib.sha256(message(domain, parts)).digest()


def rotate(value, by):
    return ((value << by) | (value >> (32 - by))) & 0xFFFFFFFF


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<12I", key + nonce))

    def quarter(a, b, c, d):
        for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[first] = (state[first] + state[second]) & 0xFFFFFFFF
            state[third] = rotate(state[third] ^ state[first], by)

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return struct.pack("<8I", *state[0:4], *state[12:16])


def xchacha(key, nonce):
    """XChaCha20-Poly1305 (section 2.3): the inner cipher and nonce."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])), b"\0\0\0\0" + nonce[16:]


def xchacha_seal(key, nonce, plaintext, associated):
    cipher, inner = xchacha(key, nonce)
    return cipher.encrypt(inner, plaintext, associated)


def xchacha_open(key, nonce, ciphertext, associated):
    cipher, inner = xchacha(key, nonce)
    return cipher.decrypt(inner, ciphertext, associated)


def xwing_private(seed):
    """An X-Wing key pair from its 32-byte seed: SHAKE256 gives ML-KEM's d and z, and X25519's scalar."""
    expanded = hashlib.shake_256(seed).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    return kem, curve


def xwing_public(seed):
    kem, curve = xwing_private(seed)
    return kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def hkdf(salt, ikm, info, length):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt or None, info=info).derive(ikm)


def extract(salt, ikm):
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(key, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


SUITE = b"HPKE" + struct.pack(">HHH", 0x647A, 0x0001, 0x0003)


def hpke_open(seed, encapsulated, ciphertext, info, associated):
    """HPKE base mode (RFC 9180), X-Wing, HKDF-SHA256, ChaCha20-Poly1305: the key schedule in our own words."""
    kem, curve = xwing_private(seed)
    public = curve.public_key().public_bytes_raw()
    kem_secret = kem.decapsulate(encapsulated[:1088])
    curve_secret = curve.exchange(x25519.X25519PublicKey.from_public_bytes(encapsulated[1088:]))
    label = b"\\.//^\\"
    secret = hashlib.sha3_256(kem_secret + curve_secret + encapsulated[1088:] + public + label).digest()

    def labeled_extract(salt, name, ikm):
        return extract(salt, b"HPKE-v1" + SUITE + name + ikm)

    def labeled_expand(key, name, context, length):
        return expand(key, struct.pack(">H", length) + b"HPKE-v1" + SUITE + name + context, length)

    context = b"\0" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    scheduled = labeled_extract(secret, b"secret", b"")
    key = labeled_expand(scheduled, b"key", context, 32)
    nonce = labeled_expand(scheduled, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, associated)


def verify(public, domain, parts, signature):
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message(domain, parts))
    except InvalidSignature:
        raise Mismatch(f"the signature in {domain} does not hold") from None


def canonical(data):
    """Reads canonical CBOR: there is one encoding of each value, and this must be it."""
    value = cbor2.loads(data)
    expect("canonical encoding", cbor2.dumps(value, canonical=True), data)
    return value


def padded_length(length):
    """Padme: the last E - S bits of a length are zero, E = floor(log2 L), S = floor(log2 E) + 1."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << max(0, exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def key_pair(info, seed):
    """The public halves of a device's or an invite's keys: (signing key, KEM key, key id)."""
    derived = hkdf(b"", seed, message(info, []), 64)
    signing = ed25519.Ed25519PrivateKey.from_private_bytes(derived[:32]).public_key().public_bytes_raw()
    kem = xwing_public(derived[32:])
    return signing, kem, domain_hash("ebb/v1/key-id", [signing, kem])


def key_id_of(keys):
    return domain_hash("ebb/v1/key-id", [keys[0], keys[1]])


# --- sections -----------------------------------------------------------------------------------------------------

def check_keys(v):
    """Key pairs from seeds, and their ids."""
    signing, kem, key_id = key_pair(v.plain("info"), v.hex("seed"))
    expect("signing key", signing, v.hex("signing_key"))
    expect("KEM key", kem, v.hex("kem_key"))
    expect("key id", key_id, v.hex("key_id"))


GENESIS, INVITE, JOIN, APPROVE, SET_ROLE, REMOVE, ERASE = 0, 1, 3, 5, 6, 7, 8


class Log:
    """Who is a member, as far as the bodies' own bytes say: what each record may name is checked against it."""

    def __init__(self, journal):
        self.journal = journal
        self.members, self.waiting, self.invites, self.person = set(), set(), {}, {}
        self.commitments = []

    def genesis(self, author, body):
        device = key_id_of(body[2])
        expect("author", author, device)
        self.members.add(device)
        self.person[device] = body[0]
        self.commitments.append(body[3])

    def invite(self, author, body):
        expect("author is a member", author in self.members, True)
        self.invites[key_id_of(body)] = body

    def join(self, author, body):
        invite, device = self.invites.pop(author), key_id_of(body[0])
        verify(body[0][0], "ebb/v1/join-proof", [self.journal, author, device], body[1])
        expect("a key exactly if the invite has one", 2 in body, 6 in invite)
        expect("a name exactly if there is a key", body[0][2] != b"", 2 in body)
        (self.members if 2 in body else self.waiting).add(device)
        self.person[device] = invite[2]

    def approve(self, author, body):
        expect("author is a member", author in self.members, True)
        self.waiting.remove(body[0])
        self.members.add(body[0])
        expect("fields", sorted(body), [0, 1, 2])

    def set_role(self, author, body):
        expect("author is a member", author in self.members, True)
        expect("the person has a device", body[0] in [self.person[device] for device in self.members], True)
        expect("role", body[1] in (0, 1, 2), True)
        self.frontier(body[2])

    def remove(self, author, body):
        expect("author is a member", author in self.members, True)
        expect("devices in order", body[0], sorted(set(body[0])))
        self.members -= set(body[0])
        people = {self.person[device] for device in body[0]}
        self.invites = {key: invite for key, invite in self.invites.items() if invite[2] not in people}
        self.frontier(body[1])
        expect("length of the key before, wrapped", len(body[3]), 24 + 32 + 16)
        expect("devices that get the new key", set(body[4]), self.members)
        expect("invites that get the new key", set(body[5]), {key for key, invite in self.invites.items() if 6 in invite})
        self.commitments.append(body[2])

    def erase(self, author, body):
        expect("author is a member", author in self.members, True)
        expect("body", body, {})

    def frontier(self, vector):
        """A vector: chain -> [seq, hash]."""
        for chain, position in vector.items():
            expect("lengths in a frontier", (len(chain), len(position), len(position[1])), (16, 2, 32))


BODIES = {
    GENESIS: Log.genesis,
    INVITE: Log.invite,
    JOIN: Log.join,
    APPROVE: Log.approve,
    SET_ROLE: Log.set_role,
    REMOVE: Log.remove,
    ERASE: Log.erase,
}


def check_member_log(v):
    """A log: encodings, hashes, links and signatures of its records, and what their bodies say."""
    journal, prev = v.hex("journal"), None
    log = Log(journal)
    for index, values in enumerate(v.plain("records")):
        fields = Fields(values)
        payload, signature = fields.hex("payload"), fields.hex("signature")
        record = canonical(payload)
        body = canonical(record[6])
        expect("index", record[1], index)
        expect("journal", record.get(0), None if index == 0 else journal)
        expect("prev", record.get(2), prev)
        verify(fields.hex("signing_key"), "ebb/v1/record-signature", [payload], signature)
        prev = domain_hash("ebb/v1/record-hash", [payload, signature])
        expect("hash", prev, fields.hex("hash"))
        fields.finish()
        if index == 0:
            expect("journal id", prev, journal)
        BODIES[record[5]](log, record[3], body)
    return log


def check_key_wrap(v, log):
    """The key of an epoch, encrypted under the next one's, as the log of the member-log section carries it."""
    number, key, previous = v.plain("epoch"), v.hex("key"), v.hex("previous_key")
    numbers = [struct.pack(">I", number - 1), struct.pack(">I", number)]
    commitments = [domain_hash("ebb/v1/epoch-commitment", pair) for pair in zip(numbers, (previous, key))]
    expect("commitment", commitments[0], v.hex("previous_commitment"))
    expect("commitments in the log", commitments, log.commitments[number - 1 : number + 1])
    wrapped, associated = v.hex("wrapped"), message("ebb/v1/key-wrap", numbers)
    wrapping = hkdf(b"", key, message("ebb/v1/key-wrap", []), 32)
    expect("wrapped key", xchacha_seal(wrapping, wrapped[:24], previous, associated), wrapped[24:])


def check_recovery(v):
    """A recovery phrase: 24 words of 11 bits are 256 bits and their checksum; the bits are the seed of a key pair."""
    words = v.plain("phrase").split(" ")
    expect("words", len(words), 24)
    places = Mnemonic("english").wordlist
    number = 0
    for word in words:
        number = number << 11 | places.index(word)
    seed, checksum = (number >> 8).to_bytes(32, "big"), number & 0xFF
    expect("checksum", checksum, hashlib.sha256(seed).digest()[0])
    signing, kem, key_id = key_pair("ebb/v1/recovery-keys", seed)
    expect("signing key", signing, v.hex("signing_key"))
    expect("KEM key", kem, v.hex("kem_key"))
    expect("key id", key_id, v.hex("key_id"))


def check_epoch(v):
    """An epoch's key: its commitment, and the blob that a device opens."""
    number, key, blob = struct.pack(">I", v.plain("number")), v.hex("key"), v.hex("blob")
    commitment, recipient, seed = v.hex("commitment"), v.hex("recipient"), v.hex("recipient_seed")
    expect("commitment", domain_hash("ebb/v1/epoch-commitment", [number, key]), commitment)
    expect("recipient", key_pair("ebb/v1/device-keys", seed)[2], recipient)
    expect("blob hash", domain_hash("ebb/v1/blob-hash", [blob]), v.hex("blob_hash"))
    kem_seed = hkdf(b"", seed, message("ebb/v1/device-keys", []), 64)[32:]
    info = message("ebb/v1/epoch-seal", [number, commitment, recipient])
    expect("opened key", hpke_open(kem_seed, blob[:1120], blob[1120:], info, b""), key)


def check_name(v, epoch_key):
    """An encrypted name, under the key of the epoch section."""
    sealed, subject, name = v.hex("sealed"), v.hex("subject"), v.plain("name").encode()
    plain = bytes([len(name)]) + name
    plain += bytes(-len(plain) % 32)
    key = hkdf(b"", epoch_key, message("ebb/v1/name-key", []), 32)
    associated = message("ebb/v1/name-seal", [subject])
    expect("epoch", sealed[:4], bytes(4))
    expect("ciphertext", xchacha_seal(key, sealed[4:28], plain, associated), sealed[28:])


def check_envelope(v):
    """A whole envelope: header, chain, signature, hash, cipher, padding, compression, content."""
    data, header, content = v.hex("bytes"), v.hex("header"), v.hex("content")
    expect("version and suite", data[:2], b"\1\1")
    expect("header", data[:183], header)
    expect("device", header[35:67], v.hex("device"))
    expect("salt", header[67:83], v.hex("salt"))
    expect("chain", domain_hash("ebb/v1/chain-id", [header[35:67], header[67:83]])[:16], v.hex("chain"))
    verify(v.hex("signing_key"), "ebb/v1/envelope-signature", [data[:-64]], data[-64:])
    expect("hash", domain_hash("ebb/v1/envelope-hash", [data]), v.hex("hash"))
    padded = xchacha_open(v.hex("key"), header[159:183], data[183:-64], header)
    length = struct.unpack(">I", padded[:4])[0]
    expect("padded length", len(padded), padded_length(4 + length))
    expect("padding", padded[4 + length :], bytes(len(padded) - 4 - length))
    expect("content", zlib.decompress(padded[4 : 4 + length], wbits=-15), content)
    canonical(content)


def check_snapshot(v):
    """The manifest of a snapshot: its encoding, what it says of itself, its signature and hash; and an acknowledgement."""
    journal, signed, key = v.hex("journal"), v.hex("bytes"), v.hex("signing_key")
    payload, signature = signed[:-64], signed[-64:]
    manifest = canonical(payload)
    expect("fields", sorted(manifest), [0, 1, 2, 3, 4, 5, 6])
    expect("journal", manifest[0], journal)
    verify(key, "ebb/v1/snapshot-signature", [payload], signature)
    snapshot = domain_hash("ebb/v1/snapshot-hash", [signed])
    expect("hash", snapshot, v.hex("hash"))
    chain_of = lambda author: domain_hash("ebb/v1/chain-id", author)[:16]
    expect("chains covered", {chain_of(author) for author in manifest[5]}, set(manifest[4]))
    expect("covered up to the first part", manifest[4][chain_of(manifest[1])][0], manifest[2] - 1)
    by = canonical(v.hex("acknowledgement"))
    expect("snapshot acknowledged", by[0], snapshot)
    expect("device", by[1], manifest[1][0])
    verify(key, "ebb/v1/snapshot-acknowledgement", [journal, snapshot], by[2])


def check_request(v):
    """The proof that a request carries."""
    words = v.plain("authorization")
    scheme, fields = words.split(" ", 1)
    expect("scheme", scheme, "Ebb")
    proof = dict(field.split("=", 1) for field in fields.split(","))
    expect("fields", list(proof), ["key", "origin", "time", "random", "signature"])
    origin, time, random = v.plain("origin"), v.plain("time"), v.hex("random")
    expect("origin, time and random", [proof["origin"], proof["time"], proof["random"]], [origin, str(time), random.hex()])
    body = hashlib.sha256(v.hex("body")).digest()
    parts = [origin.encode(), v.plain("method").encode(), v.plain("path").encode(), body, struct.pack(">Q", time), random]
    signed = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    verify(v.hex("signing_key"), "ebb/v1/request-signature", [signed], bytes.fromhex(proof["signature"]))


def check_invite(v):
    """A link: what its parts say, and the key that derives from its secret."""
    address, fragment = v.plain("link").split("#")
    unpad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    expect("journal", unpad(address.split("/join/")[1]), v.hex("journal"))
    *name, secret = fragment.split(".")
    expect("suggested name", [unpad(part).decode() for part in name], ["phone"])
    secret = unpad(secret)
    expect("length of the secret", len(secret), 32)
    expect("key id", key_pair("ebb/v1/invite-keys", secret)[2], v.hex("key_id"))


SECTIONS = {
    "keys": check_keys,
    "member_log": check_member_log,
    "epoch": check_epoch,
    "key_wrap": check_key_wrap,
    "recovery": check_recovery,
    "name": check_name,
    "envelope": check_envelope,
    "snapshot": check_snapshot,
    "request": check_request,
    "invite": check_invite,
}


# --- this script's own primitives, on published vectors --------------------------------------------------------------

def check_self():
    """draft-irtf-cfrg-xchacha-03 (section 2.2.1 and appendix A.3.1), and HPKE against the package's own."""
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    wanted = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    expect("HChaCha20", hchacha20(key, nonce).hex(), wanted)
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    expect("XChaCha20-Poly1305 tag", xchacha_seal(key, nonce, plaintext, associated)[-16:].hex(), "c0875924c1c7987947deafd8780acf49")
    seed = bytes(range(32))
    kem, curve = xwing_private(seed)
    public = hpke.MLKEM768X25519PublicKey(kem.public_key(), curve.public_key())
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    sealed = suite.encrypt(b"plain", public, info=b"info")
    expect("HPKE", hpke_open(seed, sealed[:1120], sealed[1120:], b"info", b""), b"plain")
    expect("Padme", [padded_length(length) for length in (9, 100, 1025)], [10, 104, 1088])
    expect("HKDF", expand(extract(b"salt", b"ikm"), b"info", 42), hkdf(b"salt", b"ikm", b"info", 42))


def context(name, sections):
    """What the check of a section needs of another one."""
    if name == "name":
        return [bytes.fromhex(sections["epoch"]["key"])]
    if name == "key_wrap":
        return [check_member_log(Fields(sections["member_log"]))]
    return []


def check_file(path):
    """Checks one file; returns how many of its vectors passed, and what failed."""
    passed, failed = 0, []
    sections = json.loads(path.read_text())
    for name, section in sections.items():
        for values in section if isinstance(section, list) else [section]:
            try:
                if name not in SECTIONS:
                    raise Mismatch("no check for this section")
                fields = Fields(values)
                SECTIONS[name](fields, *context(name, sections))
                fields.finish()
                passed += 1
            except Exception as reason:  # shown with its place, and the next one is checked all the same
                failed.append(f"{path.name}: {name}: {type(reason).__name__}: {reason}")
    return passed, failed


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: vectors.py FOLDER")
    check_self()
    passed, failed = 0, []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
        good, bad = check_file(path)
        print(f"{path.name}: {good} vectors reproduced, {len(bad)} not")
        passed, failed = passed + good, failed + bad
    for line in failed:
        print(line, file=sys.stderr)
    if passed == 0:
        sys.exit(f"no vector reproduced in {sys.argv[1]}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
