#!/usr/bin/env python3
"""Model files that attack their reader: (name, bytes, words of the refusal). Made by hand or with Python's own pickle; nothing here is ever loaded by Python.

    python3 tests/unit/modelfile/hostile.py FOLDER     writes them all
"""
import io
import pathlib
import pickle
import struct
import sys
import zipfile

CANARY = "/tmp/serigraph-hostile-canary"
COMMAND = f"touch {CANARY}"
MAGIC = 0x1950a86a20f9469cfc6c


class Call:
    """Pickles as a call of `function` with `arguments`, as an attacker's __reduce__ does."""
    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


def text(value):
    raw = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -2**31 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def name(module, leaf):
    return b"c" + module.encode() + b"\n" + leaf.encode() + b"\n"


def call(module, leaf, *arguments):
    return name(module, leaf) + b"(" + b"".join(arguments) + b"tR"


def storage(key="0", kind="FloatStorage", elements=6, module="torch", extra=b""):
    return b"(" + text("storage") + name(module, kind) + text(key) + text("cpu") + number(elements) + extra + b"tQ"


def tuple_of(*numbers):
    return b"(" + b"".join(map(number, numbers)) + b"t"


def tensor(shape=(2, 3), stride=(3, 1), offset=0, **given):
    return (name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage(**given) + number(offset) + tuple_of(*shape) + tuple_of(*stride)
            + b"\x89" + call("collections", "OrderedDict") + b"tR")


def dictionary(**items):
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def whole(body):
    return b"\x80\x02" + body + b"."


def archive(pkl, data=b"\0" * 24, more=(), root="m/", compress=False, without=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as zipped:
        for entry, content in [("data.pkl", pkl), ("data/0", data), ("version", b"3\n"), *more]:
            if entry not in without:
                info = zipfile.ZipInfo(entry[1:] if entry.startswith("!") else root + entry)
                zipped.writestr(info, content, zipfile.ZIP_DEFLATED if compress and entry == "data/0" else zipfile.ZIP_STORED)
    return out.getvalue()


GOOD = whole(dictionary(a=tensor()))


def legacy(body, keys=("0",), counts=(6,), data=b"\0" * 24, little=True, magic=MAGIC, protocol=1001):
    out = pickle.dumps(magic, 2) + pickle.dumps(protocol, 2) + pickle.dumps({"protocol_version": 1001, "little_endian": little, "type_sizes": {}}, 2)
    return out + body + pickle.dumps(list(keys), 2) + b"".join(struct.pack("<q", count) for count in counts) + data


def calls():
    """Names that run code: as protocol 2's GLOBAL, protocol 4's STACK_GLOBAL and through what Python's pickle writes."""
    argument = text(COMMAND)
    for module, leaf in [("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "popen"), ("os", "execv"), ("subprocess", "Popen"), ("subprocess", "check_output"),
                         ("builtins", "eval"), ("builtins", "exec"), ("__builtin__", "eval"), ("builtins", "getattr"), ("builtins", "__import__"),
                         ("builtins", "compile"), ("builtins", "open"), ("builtins", "breakpoint"), ("builtins", "map"), ("copyreg", "_reconstructor"),
                         ("copy_reg", "_reconstructor"), ("copyreg", "add_extension"), ("functools", "partial"), ("functools", "reduce"), ("operator", "attrgetter"),
                         ("operator", "methodcaller"), ("importlib", "import_module"), ("pickle", "loads"), ("_pickle", "loads"), ("runpy", "_run_code"),
                         ("webbrowser", "open"), ("pty", "spawn"), ("socket", "create_connection"), ("shutil", "rmtree"), ("pip", "main"), ("timeit", "timeit"),
                         ("pdb", "run"), ("bdb", "Bdb"), ("asyncio.unix_events", "_UnixSubprocessTransport._start"), ("code", "InteractiveInterpreter"),
                         ("ctypes", "CDLL"), ("types", "CodeType"), ("types", "FunctionType"), ("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load"),
                         ("torch.storage", "_load_from_bytes"), ("torch._utils", "_import_dotted_name"), ("torch.utils._config_module", "load_config"),
                         ("torch._dynamo.guards", "GuardBuilder.get"), ("torch.fx.graph_module", "reduce_graph_module"), ("torch.serialization", "load"),
                         ("torch.nn", "Module"), ("numpy", "load"), ("numpy.testing._private.utils", "runstring"), ("numpy.f2py.crackfortran", "getlincoef"), ("joblib", "load"),
                         ("collections", "Counter"), ("collections.abc", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2.__globals__"),
                         ("torch", "os.system"), ("torch._utils ", "_rebuild_tensor_v2"), ("Torch._utils", "_rebuild_tensor_v2"), ("", "")]:
        yield f"global {module}.{leaf}", archive(whole(dictionary(a=call(module, leaf, argument)))), f'forbidden name "{module}.{leaf}"'
    for module, leaf in [("os", "system"), ("builtins", "getattr"), ("torch", "hub.load")]:
        body = b"\x80\x04" + b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(leaf)]) + leaf.encode() + b"\x93" + argument + b"\x85R."
        yield f"stack global {module}.{leaf}", archive(body), f'forbidden name "{module}.{leaf}"'
    chain = call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system"))
    yield "getattr chain", archive(whole(chain + argument + b"\x85R")), 'forbidden name "builtins.getattr"'
    for protocol in (2, 3, 4, 5):
        yield f"print by protocol {protocol}", archive(pickle.dumps({"a": Call(print, "x")}, protocol)), "print"
        yield f"exec by protocol {protocol}", archive(pickle.dumps({"a": Call(exec, f"import os; os.system({COMMAND!r})")}, protocol)), "exec"
    yield "eval in a legacy file", legacy(whole(dictionary(a=call("builtins", "eval", argument)))), 'forbidden name "builtins.eval"'
    yield "bare pickle", whole(call("os", "system", argument)), 'forbidden name "os.system"'
    yield "bare pickle of protocol 4", pickle.dumps(Call(exec, "1"), 4), 'forbidden name "builtins.exec"'
    yield "call hidden before the weights", archive(whole(call("os", "system", argument) + b"0" + dictionary(a=tensor()))), 'forbidden name "os.system"'
    yield "name never called", archive(whole(name("os", "system") + b"0" + dictionary(a=tensor()))), 'forbidden name "os.system"'
    yield "hostile name with controls", archive(whole(name("os\x1b[2J\x07", "sys\ttem"))), 'forbidden name "os?[2J?.sys?tem"'
    yield "hostile name in the hooks", archive(whole(dictionary(a=tensor()).replace(name("collections", "OrderedDict"), name("os", "system")))), "os.system"
    yield "type of a storage", archive(whole(dictionary(a=tensor(kind="system", module="os")))), "os.system"


def opcodes():
    argument = text(COMMAND)
    yield "INST", archive(whole(b"(" + argument + b"ios\nsystem\n")), 'forbidden name "os.system"'
    yield "INST of an allowed name", archive(whole(b"(icollections\nOrderedDict\n")), "forbidden opcode INST"
    yield "OBJ", archive(whole(b"(" + name("collections", "OrderedDict") + b"o")), "forbidden opcode 0x6f"
    yield "NEWOBJ_EX", archive(whole(name("collections", "OrderedDict") + b")}\x92")), "forbidden opcode 0x92"
    yield "NEWOBJ of a function", archive(whole(name("torch._utils", "_rebuild_tensor_v2") + b")\x81")), "may not be made so"
    yield "EXT1", archive(whole(b"\x82\x01")), "forbidden opcode 0x82"
    yield "EXT4", archive(whole(b"\x84\1\0\0\0")), "forbidden opcode 0x84"
    yield "PERSID", archive(whole(b"Pstorage\n")), "forbidden opcode 0x50"
    yield "NEXT_BUFFER", archive(b"\x80\x05\x97."), "forbidden opcode 0x97"
    yield "BYTEARRAY8", archive(b"\x80\x05\x96" + bytes(8) + b"."), "forbidden opcode 0x96"
    yield "protocol 0 string", archive(b"S'x'\n."), "forbidden opcode 0x53"
    yield "protocol 0 call", archive(b"cos\nsystem\n(S'x'\ntR."), 'forbidden name "os.system"'
    yield "protocol 9", archive(b"\x80\x09}."), "protocol 9"
    yield "ModelCheckpoint called", archive(whole(call("pytorch_lightning.callbacks", "ModelCheckpoint"))), "may only be mentioned"
    yield "Tensor called", archive(whole(call("torch", "Tensor", number(1)))), "may only be mentioned"
    yield "text called", archive(whole(text("os.system") + b")R")), "calls something that is no name"
    yield "call with a list", archive(whole(name("collections", "OrderedDict") + b"]R")), "no tuple"
    yield "state for a tensor", archive(whole(tensor() + b"}b")), "takes none"
    yield "state for a name", archive(whole(name("torch", "Tensor") + b"}b")), "takes none"
    yield "stack underflow", archive(whole(b"R")), "empty stack"
    yield "mark underflow", archive(whole(b"t")), "mark that is not there"
    yield "pop past a mark", archive(whole(b"N(\x85")), "empty stack"
    yield "memo never filled", archive(whole(b"h\x07")), "not remembered"
    yield "odd dictionary", archive(whole(b"}(" + text("a") + b"u")), "key without a value"
    yield "two values", archive(whole(b"}}")), "other than one value"
    yield "open mark", archive(whole(b"}(")), "other than one value"
    yield "no STOP", archive(b"\x80\x02}"), "cut off"
    yield "bytes after STOP", archive(GOOD + b"cos\nsystem\n."), "bytes follow the pickle"
    yield "appends to a number", archive(whole(b"K\1K\2a")), "holds no values"
    yield "frame past the end", archive(b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"}."), "frame"
    yield "text that is no UTF-8", archive(whole(text(b"\xff\xfe"))), "UTF-8"
    yield "nothing in it", archive(whole(b"}")), "no tensors"
    yield "a list of tensors", archive(whole(b"](" + tensor() + b"e")), "no dictionary of tensors"


def bombs():
    yield "BINUNICODE of 4 GB", archive(whole(b"X\xff\xff\xff\xff" + b"a")), "longer than the pickle"
    yield "BINUNICODE8 of 2^63", archive(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 63) + b"."), "longer than the pickle"
    yield "BINBYTES8 of 2^64-1", archive(b"\x80\x04\x8e" + b"\xff" * 8 + b"."), "longer than the pickle"
    yield "LONG4 of 2 GB", archive(whole(b"\x8b\xff\xff\xff\x7f")), "more than 16"
    yield "LONG1 of 255 bytes", archive(whole(b"\x8a\xff" + bytes(255))), "more than 16"
    yield "marks 2,000 deep", archive(whole(b"(" * 2000 + b"N" + b"t" * 2000)), "nested deeper than 1000"
    yield "tuples 1e6 deep", archive(whole(b"N" + b"\x85" * 1_000_000)), "nested deeper than 1000"
    yield "lists in lists", archive(whole(b"]" * 1200 + b"a" * 1199)), "nested deeper than 1000"
    yield "2 million opcodes", archive(whole(b"N0" * 1_000_000 + b"N")), "more than 1048576 opcodes"
    yield "a million lists", archive(whole(b"(" + b"]" * 1_000_000 + b"t")), "containers"
    yield "memo at 4e9", archive(whole(b"Nr\xff\xff\xff\xff")), "remembers more than"
    laughs = b"]q\0"
    for level in range(30):
        laughs += b"](" + b"h" + bytes([level]) + b"h" + bytes([level]) + b"eq" + bytes([level + 1])
    yield "billion laughs", archive(whole(dictionary(a=tensor(), b=b"(" + laughs + b"t"))), "nested deeper than 16"
    wide = b"](" + b"K\1" * 1000 + b"eq\0" + b"](" + b"h\0" * 1000 + b"eq\1" + b"](" + b"h\1" * 1000 + b"e"
    yield "wide laughs", archive(whole(dictionary(a=tensor(), b=b"(" + wide + b"t"))), "names more than"
    yield "list in itself", archive(whole(dictionary(a=tensor(), b=b"]q\0h\0a"))), "nested deeper than 16"
    big = b"](" + b"K\1" * 100_000 + b"eq\0"
    again = b"(" + (name("builtins", "set") + b"(h\0tR") * 100 + b"t"
    yield "set of a set of a set", archive(whole(b"(" + big + again + b"t")), "copies more than"
    yield "wide call", archive(whole(call("collections", "OrderedDict", *[b"N"] * 20))), "more than 16 arguments"
    yield "pickle of 17 MiB", archive(whole(text(b"a" * (17 << 20)))), "longer than 16 MiB"
    yield "legacy pickle of 17 MiB", legacy(whole(text(b"a" * (17 << 20)))), "longer than the pickle"
    yield "long name", archive(whole(dictionary(**{"a" * 600: tensor()}))), "longer than 512"
    yield "same tensor again and again", archive(whole(b"}(" + text("a") + tensor(elements=6) + b"q\0" + b"".join(text(f"b{i}") + b"h\0" for i in range(30_000)) + b"u")), ""
    many = b"}(" + text("a") + tensor(elements=1 << 18, shape=(1 << 18,), stride=(1,)) + b"q\0" + b"".join(text(f"b{i}") + b"h\0" for i in range(2_000)) + b"u"
    yield "a storage under 2,000 names", archive(whole(many), data=bytes(1 << 20)), "8 times as long as the file"


def tensors():
    def made(words, data=b"\0" * 24, **given):
        return archive(whole(dictionary(a=tensor(**given))), data), words
    for title, (content, words) in {
        "past the end": made("reaches element 6", offset=1),
        "more rows than there are": made("storage has 6 elements", shape=(3, 3)),
        "stride past the end": made("reaches element", stride=(6, 1)),
        "offset far away": made("storage has 6 elements", offset=1 << 62),
        "negative offset": made("offset is negative", offset=-1),
        "negative size": made("whole number from 0 up", shape=(-2, 3)),
        "negative stride": made("whole number from 0 up", stride=(-3, 1)),
        "shape overflows": made("overflows 64 bits", shape=(1 << 40, 1 << 40)),
        "stride overflows": made("strides overflow", stride=(1 << 62, 1), shape=(6, 1)),
        "expanded to 4 GB": made("elements", shape=(1 << 15, 1 << 15), stride=(0, 0)),
        "rank 17": made("more than 16 dimensions", shape=(1,) * 17, stride=(1,) * 17),
        "rank of stride": made("differ in length", stride=(1,)),
        "storage longer than its entry": made('storage "0" has 24 bytes', elements=7, shape=(7,), stride=(1,)),
        "storage shorter than its entry": made('storage "0" has 32 bytes', data=bytes(32)),
        "storage not there": made('storage "9" is missing', key="9"),
        "storage outside the archive": made("is missing", key="../../etc/passwd"),
        "negative storage": made("not what torch.save writes", elements=-1),
        "huge storage": made("too long", elements=1 << 62),
    }.items():
        yield f"tensor {title}", content, words
    two = dictionary(a=tensor(), b=tensor(kind="HalfStorage", elements=12, shape=(12,), stride=(1,)))
    yield "storage of two types", archive(whole(two)), "described in two ways"
    yield "storage that is a name", archive(whole(b"(" + text("storage") + text("torch.FloatStorage") + text("0") + text("cpu") + number(6) + b"tQ")), "not what torch.save writes"
    yield "module in place of a storage", archive(whole(b"(" + text("module") + name("torch", "Tensor") + text("x") + text("y") + number(1) + b"tQ")), "not what torch.save writes"
    yield "storage view", archive(whole(dictionary(a=tensor(extra=tuple_of(0, 0, 1))))), "view of another"
    yield "tensor of a text", archive(whole(call("torch._utils", "_rebuild_tensor_v2", text("x"), number(0), tuple_of(1), tuple_of(1)))), "other arguments"
    yield "parameter of a text", archive(whole(call("torch._utils", "_rebuild_parameter", text("x")))), "no tensor"
    yield "tensor under one name twice", archive(whole(b"}(" + text("a") + tensor() + text("a") + tensor() + b"u")), "comes twice"


def patched(data, *changes):
    data = bytearray(data)
    for at, value in changes:
        data[at:at + len(value)] = value
    return bytes(data)


def zips():
    good = archive(GOOD)
    central = good.index(b"PK\1\2")
    end = good.index(b"PK\5\6")
    second = good.index(b"PK\1\2", central + 4)
    yield "compressed entry", archive(GOOD, bytes(4096), compress=True), "compressed (method 8)"
    yield "compressed in the local header only", patched(good, (8, b"\x08\0")), "other flags or another method"
    yield "encrypted", patched(good, (6, b"\1\0"), (central + 8, b"\1\0")), "encrypted"
    yield "flag bits differ", patched(good, (6, b"\1\0")), "other flags"
    yield "local name differs", patched(good, (30, b"n/data.pkl")), "another name"
    yield "local name longer", patched(good, (26, b"\x0b\0")), "another name"
    yield "local size differs", patched(good, (22, b"\1\0\0\0")), "another size"
    yield "checksum differs", patched(good, (14, b"\0\0\0\0")), "another size or checksum"
    yield "pickle changed", patched(good, (good.index(b"OrderedDict"), b"orderedDict")), "checksum"
    yield "two data.pkl", archive(GOOD, more=[("data.pkl", whole(name("os", "system")))]), "comes twice"
    yield "two folders", archive(GOOD, more=[("!n/data.pkl", GOOD)]), "torch.save writes one"
    yield "no folder", archive(GOOD, root=""), "lies in no folder"
    yield "no data.pkl", archive(GOOD, without=("data.pkl",)), "no data.pkl"
    for bad in ["m/../../etc/passwd", "../m/x", "/etc/passwd", "m\\..\\x", "m//x", "m/./x", "C:/x", "m/a\x07", "m/folder/"]:
        yield f"name {bad!r}", archive(GOOD, more=[("!" + bad, b"x")]), "zip archive: entry"
    yield "name of 600 bytes", archive(GOOD, more=[("a" * 600, b"x")]), "too long"
    yield "cut off", good[:-30], "end record"
    yield "cut in the middle", good[:len(good) // 2], "no end record"
    yield "only the magic", b"PK\3\4" + bytes(40), "no end record"
    yield "six bytes", b"PK\3\4\0\0", "shorter than"
    yield "bytes after the end", good + b"x", "end record"
    yield "archive after archive", good + good, "directory is not where"
    yield "bytes before the start", b"PK\3\4" + bytes(60) + good, "directory is not where"
    yield "directory elsewhere", patched(good, (end + 16, struct.pack("<I", 4))), "not where its end record says"
    yield "more entries than there are", patched(good, (end + 8, b"\x09\0\x09\0")), "ends too soon"
    yield "fewer entries than there are", patched(good, (end + 8, b"\2\0\2\0")), "belong to no entry"
    yield "two disks", patched(good, (end + 4, b"\1\0")), "several disks"
    yield "entry past the end", patched(good, (central + 42, struct.pack("<I", len(good) + 5))), "beyond the end"
    yield "entry on another", patched(good, (second + 42, struct.pack("<I", 0))), "another name"
    yield "size past the end", patched(good, (central + 20, struct.pack("<II", 1 << 30, 1 << 30)), (18, struct.pack("<II", 1 << 30, 1 << 30))), "beyond the entries"
    yield "sizes that differ", patched(good, (central + 20, struct.pack("<I", 5))), "two sizes differ"
    yield "zip64 size without its field", patched(good, (central + 20, b"\xff" * 8)), "zip64 field is missing"
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, end - central, central)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    yield "zip64 record that contradicts", good[:end] + record.replace(struct.pack("<QQ", 3, 3), struct.pack("<QQ", 9, 9)) + locator + good[end:], "contradicts"
    yield "zip64 locator that lies", good[:end] + record + struct.pack("<4sIQI", b"PK\6\7", 0, 1 << 60, 1) + good[end:], "not where its locator says"
    yield "zip64 of 10 million entries", (good[:end] + record.replace(struct.pack("<QQ", 3, 3), struct.pack("<QQ", 10**7, 10**7)) + locator
                                          + patched(good[end:], (8, b"\xff" * 4))), "more than 100000 entries"
    yield "big-endian", archive(GOOD, more=[("byteorder", b"big")]), 'byte order is "big"'
    yield "TorchScript", archive(GOOD, more=[("constants.pkl", b"x"), ("code/a.py", b"x")]), "TorchScript"
    overlap = archive(GOOD, more=[("data/1", b"PK\3\4" + bytes(60))])
    inner = overlap.rindex(b"PK\3\4", 0, overlap.index(b"PK\1\2"))
    yield "entry inside another", patched(overlap, (overlap.index(b"PK\1\2") + 42, struct.pack("<I", inner))), "zip archive: entry"
    yield "zip that is no model", archive(b"\x07hello"), "forbidden opcode 0x07"


def good():
    """Unusual, and read: no words of a refusal."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for entry, content in (("m/data.pkl", GOOD), ("m/data/0", bytes(24))):
            with zipped.open(zipfile.ZipInfo(entry), "w", force_zip64=True) as to:
                to.write(content)
    yield "zip64 fields in local headers", out.getvalue(), ""
    plain = archive(GOOD)
    central, end = plain.index(b"PK\1\2"), plain.index(b"PK\5\6")
    size = struct.unpack("<I", plain[central + 24:central + 28])[0]
    at = central + 46 + len("m/data.pkl")
    extra = struct.pack("<HHQQQ", 1, 24, size, size, 0)
    large = patched(plain, (central + 20, b"\xff" * 8), (central + 30, struct.pack("<H", len(extra))), (central + 42, b"\xff" * 4),
                    (end + 12, struct.pack("<I", end - central + len(extra))))
    yield "zip64 field in the directory", large[:at] + extra + large[at:], ""
    yield "byte order said", archive(GOOD, more=[("byteorder", b"little")]), ""
    yield "legacy by hand", legacy(GOOD), ""


def legacies():
    body = GOOD
    yield "legacy cut off", legacy(body)[:-4], "cut off"
    yield "legacy with bytes behind", legacy(body) + b"x", "follow the last storage"
    yield "legacy count that lies", legacy(body, counts=(1 << 40,)), "the pickle says 6"
    yield "legacy without its storage", legacy(body, keys=(), counts=(), data=b""), "is missing"
    yield "legacy with a storage too many", legacy(body, keys=("0", "1"), counts=(6,)), "no tensor has"
    yield "legacy with a storage twice", legacy(body, keys=("0", "0"), counts=(6,), data=b"\0" * 24 + struct.pack("<q", 6) + b"\0" * 24), "comes twice"
    yield "legacy big-endian", legacy(body, little=False), 'byte order is "big"'
    yield "legacy with another magic", legacy(body, magic=5), "none that torch.save wrote"
    yield "legacy of another protocol", legacy(body, protocol=1002), "not 1001"
    yield "pickle of a dictionary", pickle.dumps({"a": 1}, 2), "none that torch.save wrote"
    yield "legacy that is cut in the pickle", legacy(body)[:120], "cut off"
    yield "safetensors that is a pickle", b"\x80\x04\x95\0\0\0\0\0" + b"x" + bytes(40), "pickle"


def all_files():
    for group in (good, calls, opcodes, bombs, tensors, zips, legacies):
        for title, content, words in group():
            yield f"{group.__name__}: {title}", content, words


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for count, (title, content, _) in enumerate(all_files(), 1):
        (folder / f"{count:03}.ckpt").write_bytes(content)
    print(count, "files")
