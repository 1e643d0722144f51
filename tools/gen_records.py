#!/usr/bin/env python3
"""Generates src/wire/records_gen.{h,c} from schema/records.schema.

    tools/gen_records.py            writes the two files
    tools/gen_records.py --check    writes nothing; fails when they are not what it would write

The output goes through clang-format, so that it passes the same check as every other file.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "schema" / "records.schema"
OUTPUTS = ("src/wire/records_gen.h", "src/wire/records_gen.c")

C_TYPES = {"i32": "int32_t", "i64": "int64_t", "bool": "bool",
           "ustring": "struct slice", "buffer": "struct slice"}
FIXED_BYTES = {"i32": 4, "i64": 8, "bool": 1}
LOADS = {"i32": "(int32_t)load_be32(p + {at})", "i64": "(int64_t)load_be64(p + {at})",
         "bool": "p[{at}] != 0"}


class Field:
    def __init__(self, type_name, name):
        self.optional = type_name.endswith("?")
        self.type = type_name.rstrip("?")
        vec = re.fullmatch(r"vec\((\w+)\)", self.type)
        self.element = vec.group(1) if vec else None
        self.name = name


class Record:
    def __init__(self, name, hot, comment):
        self.name = name
        self.hot = hot
        self.comment = comment
        self.fields = []
        self.fixed_bytes = None  # None: it varies
        self.least_bytes = 0

    @property
    def inline(self):
        return self.hot or self.fixed_bytes is not None


def fail(line_number, text):
    sys.exit(f"{SCHEMA}:{line_number}: {text}")


def parse(text):
    records = {}
    comment = []
    record = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if line.startswith("#"):
            comment.append(line[1:].strip())
        elif not words:
            comment = []
            record = None
        elif words[0] == "record" and words[2:] in ([], ["hot"]):
            if words[1] in records:
                fail(number, f"record '{words[1]}' a second time")
            record = Record(words[1], bool(words[2:]), comment)
            records[record.name] = record
            comment = []
        elif record is not None and len(words) == 2:
            field = Field(*words)
            check_field(field, record, records, number)
            record.fields.append(field)
        else:
            fail(number, "expected 'record NAME [hot]' or 'TYPE NAME'")
    for record in records.values():
        measure(record, records)
    return list(records.values())


def check_field(field, record, records, number):
    base = field.element or field.type
    if base not in C_TYPES and (base not in records or base == record.name):
        fail(number, f"unknown type '{base}'")
    if field.element and base in FIXED_BYTES:
        fail(number, "vectors are of strings, buffers and records")
    if field.optional and field.type not in FIXED_BYTES:
        fail(number, "only a number or bool can be optional")
    if any(f.optional for f in record.fields):
        fail(number, "only the last field can be optional")


def measure(record, records):
    """Dependencies come first in the schema, and so have been measured."""
    fixed = 0
    for field in record.fields:
        inner = records.get(field.type)
        least = 0 if field.optional else FIXED_BYTES.get(field.type, 4)
        size = None if field.optional else FIXED_BYTES.get(field.type)
        if inner is not None:
            if not inner.inline:
                sys.exit(f"{SCHEMA}: '{inner.name}' is part of '{record.name}': make it hot")
            size, least = inner.fixed_bytes, inner.least_bytes
        record.least_bytes += least
        fixed = None if fixed is None or size is None else fixed + size
    record.fixed_bytes = fixed


class Writer:
    def __init__(self, records):
        self.records = records
        self.by_name = {r.name: r for r in records}

    def fixed(self, field):
        if field.optional or field.element:
            return None
        if field.type in self.by_name:
            return self.by_name[field.type].fixed_bytes
        return FIXED_BYTES.get(field.type)

    # ---- structs ----

    def struct(self, record):
        out = []
        if record.comment:
            out.append("/* " + "\n * ".join(record.comment) + " */")
        out.append(f"struct rec_{record.name} {{")
        for f in record.fields:
            if f.optional:
                out.append(f"bool has_{f.name};")
            if f.element:
                out.append(f"struct rec_vec {f.name}; /* of {f.element} */")
            else:
                out.append(f"{C_TYPES.get(f.type, 'struct rec_' + f.type)} {f.name};")
        return "\n".join(out) + "\n};\n"

    # ---- decoding ----

    def load(self, record):
        """Fixed records: from bytes known to be there."""
        out = [f"static inline void rec_load_{record.name}(const uint8_t *p, "
               f"struct rec_{record.name} *ret)", "{"]
        out += self.load_run(record.fields)
        return "\n".join(out) + "\n}\n"

    def load_run(self, fields):
        out, at = [], 0
        for f in fields:
            if f.type in self.by_name:
                where = f"p + {at}" if at else "p"
                out.append(f"rec_load_{f.type}({where}, &ret->{f.name});")
            else:
                load = LOADS[f.type].format(at=at).replace("p + 0", "p")
                out.append(f"ret->{f.name} = {load};")
            at += self.fixed(f)
        return out

    def get(self, record, linkage):
        head = f"bool rec_get_{record.name}(struct dec *d, struct rec_{record.name} *ret)"
        if record.fixed_bytes is not None:
            return (f"{linkage}{head}\n{{\n"
                    f"const uint8_t *p = dec_take(d, {record.fixed_bytes});\n"
                    f"if (p == NULL)\nreturn false;\n"
                    f"rec_load_{record.name}(p, ret);\nreturn true;\n}}\n")
        out = [f"{linkage}{head}", "{"]
        fields = list(record.fields)
        declare = "const uint8_t *"
        while fields:
            run = []
            while fields and self.fixed(fields[0]) is not None:
                run.append(fields.pop(0))
            if run:  # neighbours of fixed size are taken with one look at the end
                size = sum(self.fixed(f) for f in run)
                out += [f"{declare}p = dec_take(d, {size});", "if (p == NULL)", "return false;"]
                out += self.load_run(run)
                declare = ""
            else:
                out.append(self.get_field(fields.pop(0)))
        out.append("return !d->bad;")
        return "\n".join(out) + "\n}\n"

    def get_field(self, f):
        if f.optional:
            return (f"ret->has_{f.name} = dec_left(d) >= {FIXED_BYTES[f.type]};\n"
                    f"ret->{f.name} = ret->has_{f.name} ? dec_{f.type}(d) : 0;")
        if f.element:
            return f"ret->{f.name} = rec_get_vec_{f.element}(d);"
        if f.type in self.by_name:
            return f"rec_get_{f.type}(d, &ret->{f.name});"
        return f"ret->{f.name} = dec_{f.type}(d);"

    def get_vec(self, element):
        if element in self.by_name:
            least = self.by_name[element].least_bytes
            item, step = f"struct rec_{element} item;\n", f"rec_get_{element}(d, &item);"
        else:
            least, item, step = 4, "", f"dec_{element}(d);"
        return (f"struct rec_vec rec_get_vec_{element}(struct dec *d)\n{{\n"
                f"struct rec_vec v;\n{item}"
                f"if (!rec_vec_begin(d, {least}, &v))\nreturn v;\n"
                f"for (int32_t i = 0; i < v.count && !d->bad; i++)\n{step}\n"
                f"rec_vec_end(d, &v);\nreturn v;\n}}\n")

    # ---- encoding ----

    def size_of(self, record):
        fixed, parts = 0, []
        for f in record.fields:
            if f.optional:
                parts.append(f"(r->has_{f.name} ? {FIXED_BYTES[f.type]} : 0)")
            elif f.element:
                fixed += 4
                parts.append(f"r->{f.name}.raw.len")
            elif f.type in self.by_name and self.fixed(f) is None:
                parts.append(f"rec_bytes_{f.type}(&r->{f.name})")
            elif self.fixed(f) is not None:
                fixed += self.fixed(f)
            else:
                fixed += 4
                parts.append(f"r->{f.name}.len")
        return " + ".join(([str(fixed)] if fixed or not parts else []) + parts)

    def store(self, record):
        head = f"uint8_t *rec_store_{record.name}(uint8_t *p, const struct rec_{record.name} *r)"
        out = ["static inline " + head, "{"]
        for f in record.fields:
            if f.optional:
                out.append(f"if (r->has_{f.name})")
            if f.element:
                out.append(f"p = rec_store_vec(p, r->{f.name});")
            elif f.type in self.by_name:
                out.append(f"p = rec_store_{f.type}(p, &r->{f.name});")
            else:
                kind = "slice" if f.type in ("ustring", "buffer") else f.type
                out.append(f"p = rec_store_{kind}(p, r->{f.name});")
        return "\n".join(out) + "\nreturn p;\n}\n"

    def put(self, record, linkage):
        name = record.name
        out = ""
        bytes_expr = f"rec_bytes_{name}(r)"
        if record.fixed_bytes is not None:
            bytes_expr = str(record.fixed_bytes)
        else:
            out += (f"static inline size_t rec_bytes_{name}(const struct rec_{name} *r)\n"
                    f"{{\nreturn {self.size_of(record)};\n}}\n\n")
        out += self.store(record) + "\n"
        out += (f"{linkage}void rec_put_{name}(struct buf *b, const struct rec_{name} *r)\n{{\n"
                f"size_t bytes = {bytes_expr};\n"
                f"if (!buf_reserve(b, bytes))\nreturn;\n"
                f"rec_store_{name}(b->ptr + b->len, r);\nb->len += bytes;\n}}\n")
        return out

    # ---- files ----

    def code(self, record, linkage):
        parts = [self.load(record)] if record.fixed_bytes is not None else []
        parts += [self.get(record, linkage), self.put(record, linkage)]
        return "\n".join(parts)

    def elements(self):
        """What vectors are made of, in order of first use."""
        used = [f.element for r in self.records for f in r.fields if f.element]
        return list(dict.fromkeys(used))

    def header(self):
        out = ["/* Generated by tools/gen_records.py from schema/records.schema. Do not edit.\n"
               " * Included by records.h, which explains it. */",
               "#ifndef CAUCUS_WIRE_RECORDS_GEN_H\n#define CAUCUS_WIRE_RECORDS_GEN_H\n"]
        out.append("/* Every record once, for tests and fuzzers that must not miss one. */")
        out.append("#define REC_MAP(X) \\")
        out.append(" \\\n".join(f"    X({r.name})" for r in self.records) + "\n")
        out += [f"struct rec_vec rec_get_vec_{e}(struct dec *d);" for e in self.elements()]
        out.append("")
        for record in self.records:
            out.append(self.struct(record))
            if record.inline:
                out.append(self.code(record, "static inline "))
            else:
                out.append(f"bool rec_get_{record.name}(struct dec *d, "
                           f"struct rec_{record.name} *ret);\n"
                           f"void rec_put_{record.name}(struct buf *b, "
                           f"const struct rec_{record.name} *r);\n")
        out.append("#endif")
        return "\n".join(out) + "\n"

    def source(self):
        out = ["/* Generated by tools/gen_records.py from schema/records.schema. Do not edit. */",
               '#include "wire/records.h"\n']
        out += [self.get_vec(e) for e in self.elements()]
        out += [self.code(r, "") for r in self.records if not r.inline]
        return "\n".join(out) + "\n"


def formatted(text, name):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        sys.exit("gen_records.py needs clang-format-14")
    run = subprocess.run([tool, f"--assume-filename={ROOT / name}"], input=text, text=True,
                         capture_output=True, check=True)
    return run.stdout


def main():
    writer = Writer(parse(SCHEMA.read_text()))
    stale = False
    for name, text in zip(OUTPUTS, (writer.header(), writer.source())):
        path, wanted = ROOT / name, formatted(text, name)
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != wanted:
                print(f"{name} is not what schema/records.schema says: run tools/gen_records.py")
                stale = True
        else:
            path.write_text(wanted)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
