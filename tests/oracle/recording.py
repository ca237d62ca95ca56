"""A recorded run, read from its segments by what docs/trace-format.md says: no code of autotrace.

Addresses are places: (path of the module, address in it), the same in every run of a program.
"""

import dataclasses
import os
import pathlib
import struct

MASK = (1 << 64) - 1
LOW_48 = (1 << 48) - 1
COUNTERS = ("recorded", "ring_full", "in_hook", "before_start", "no_memory", "disk", "disk_cap",
            "export", "details")
MODULE, FUNCTIONS, RECORDS, COUNTER_VALUES, END, PROCESS = 3, 4, 6, 8, 9, 1
SPAN, SPAN_WITH_CALLER, TRACE_BEGIN, EXTENSION, END_OF_CHUNK = 1, 2, 3, 4, 5
SECRET = 7
LOCAL_PARENT = 4


@dataclasses.dataclass(slots=True)
class Span:
    function: tuple  # place of its entry
    sequence: int
    parent: int  # sequence; 0: none in this thread
    return_place: tuple  # behind the call, in the function that made it
    parent_of_thread: int  # without a parent: sequence of the span that started the thread, or 0


class Recording:
    """One process that ended in an orderly way and unloaded nothing meanwhile."""

    def __init__(self, run_folder):
        self.spans = []
        self.linker_names = {}  # place -> name
        self.counters = {}
        self._modules = []  # (start, end, bias, path)
        self._key = None
        self._places = {}
        self._raw_spans = []
        self._raw_names = {}
        self._parents_of_threads = {}
        ended = False
        for segment in sorted(pathlib.Path(run_folder).glob("*.seg")):
            ended = self._read_segment(segment.read_bytes()) or ended
        assert ended, f"{run_folder}: the process did not end in an orderly way"
        self.spans = [
            Span(self._place(function), sequence, parent, self._place(call_site),
                 self._parents_of_threads.get(sequence, 0))
            for function, sequence, parent, call_site in self._raw_spans]
        self.linker_names = {
            self._place(address): name for address, name in self._raw_names.items()}

    @property
    def dropped(self):
        return {name: count for name, count in self.counters.items()
                if name != "recorded" and count}

    def span_id(self, sequence):
        """As OTLP has it: 16 hexadecimal digits."""
        first, second = self._key
        number = _mix(sequence, first, second) or _mix(0, first, second)
        return number.to_bytes(8, "little").hex()

    def _place(self, address):
        place = self._places.get(address)
        if place is None:
            found = [module for module in self._modules if module[0] <= address < module[1]]
            place = (found[0][3], address - found[0][2]) if found else ("", address)
            self._places[address] = place
        return place

    def _read_segment(self, data):
        magic, version, offset = struct.unpack_from("<8sII", data)
        assert magic == b"ATRCSEG\n" and version == 1, (magic, version)
        ended = False
        while offset < len(data):
            magic, kind, _, size, _ = struct.unpack_from("<IHHII", data, offset)
            assert magic == 0x4B4C4254, f"no block at {offset}"
            payload = data[offset + 16:offset + 16 + size]
            assert len(payload) == size, "a block is cut off"
            offset += 16 + _padded(size)
            if kind == PROCESS:
                self._read_process(payload)
            elif kind == MODULE:
                self._read_module(payload)
            elif kind == FUNCTIONS:
                self._read_functions(payload)
            elif kind == RECORDS:
                self._read_records(payload)
            elif kind == COUNTER_VALUES:
                for counter, _, value in struct.iter_unpack("<IIQ", payload):
                    name = COUNTERS[counter]
                    self.counters[name] = max(value, self.counters.get(name, 0))
            ended = kind == END
        return ended

    def _read_process(self, payload):
        offset = 0
        while offset < len(payload):
            key, size = struct.unpack_from("<II", payload, offset)
            if key == SECRET:
                self._key = struct.unpack_from("<QQ", payload, offset + 8)
            offset += 8 + _padded(size)

    def _read_module(self, payload):
        _, path_size, _, flags, bias, start, end = struct.unpack_from("<IIIIQQQ", payload)
        assert not flags & 2, "a module was unloaded"
        path = os.path.realpath(payload[48:48 + path_size].decode())
        if (start, end, bias, path) not in self._modules:
            self._modules.append((start, end, bias, path))

    def _read_functions(self, payload):
        offset = 0
        while offset < len(payload):
            address, _, _, size = struct.unpack_from("<QIHH", payload, offset)
            self._raw_names[address] = payload[offset + 16:offset + 16 + size].decode()
            offset += 16 + _padded(size)

    def _read_records(self, payload):
        offset = 24
        while offset < len(payload):
            head, = struct.unpack_from("<Q", payload, offset)
            kind = (head >> 48) & 15
            if kind == SPAN_WITH_CALLER:
                assert not (head >> 52) & 3, "a span that is manual or unfinished"
                _, sequence, parent, call_site = struct.unpack_from("<QQQQ", payload, offset + 8)
                self._raw_spans.append(
                    (head & LOW_48, sequence >> 16, parent >> 16, call_site >> 16))
                offset += 40
            elif kind == TRACE_BEGIN:
                if (head >> 52) & LOCAL_PARENT:
                    root, = struct.unpack_from("<Q", payload, offset + 16)
                    parent, = struct.unpack_from("<Q", payload, offset + 56)
                    self._parents_of_threads[root] = parent
                offset += 64
            elif kind == EXTENSION:
                offset += 16 + _padded(head & LOW_48)
            else:
                assert kind == END_OF_CHUNK or head == 0, f"a record of kind {kind}"
                break


def _padded(size):
    return (size + 7) & ~7


def _mix(value, first, second):
    value = (value + first) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    value ^= value >> 31
    value ^= second
    value = ((value ^ (value >> 33)) * 0xFF51AFD7ED558CCD) & MASK
    value = ((value ^ (value >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
    return value ^ (value >> 33)
