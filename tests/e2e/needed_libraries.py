"""The order in which a program names the libraries that it needs, which is the order in which the
dynamic linker looks for functions."""

import struct

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5


def put_first(path, name):
    """Changes the file so that the library `name`, which it needs, comes before the others."""
    data = bytearray(path.read_bytes())
    headers = list(_program_headers(data))
    start = next(offset for kind, offset, _, _ in headers if kind == PT_DYNAMIC)
    entries = _dynamic_entries(data, start)
    names = next(value for _, tag, value in entries if tag == DT_STRTAB)
    strings = next(names - address + offset for kind, offset, address, size in headers
                   if kind == PT_LOAD and address <= names < address + size)
    needed = [(place, value) for place, tag, value in entries if tag == DT_NEEDED]
    order = sorted((value for _, value in needed),
                   key=lambda value: _string(data, strings + value) != name)
    assert _string(data, strings + order[0]) == name, f"{path} does not need {name}"
    for (place, _), value in zip(needed, order):
        struct.pack_into("<QQ", data, place, DT_NEEDED, value)
    path.write_bytes(data)


def _program_headers(data):
    """Kind, offset in the file, address and size in the file of each (64 bits)."""
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        kind, _, offset, address, _, bytes_in_file = struct.unpack_from(
            "<IIQQQQ", data, table + index * size)
        yield kind, offset, address, bytes_in_file


def _dynamic_entries(data, place):
    """Place in the file, tag and value of each."""
    entries = []
    while True:
        tag, value = struct.unpack_from("<QQ", data, place)
        if tag == 0:
            return entries
        entries.append((place, tag, value))
        place += 16


def _string(data, place):
    return data[place:data.index(b"\0", place)].decode()
