"""Spans read from the OTLP file format, as trees that can be compared with expected text.

One line per span: its name, then what is special about it. Two spaces of indentation per level.

    app::run  (pipeline 7)
      app::step x3                       three siblings in a row with the same subtree
        app::leaf
      Manual  {count=3, label="x"}       attributes that the program set
      app::thrower  ERROR                left by an exception
      app::stuck  unfinished             never ended

Reading also checks what holds for every trace whatever the program: see check_invariants.
"""

import dataclasses
import json

PIPELINE_KEY = "autotrace.pipeline_id"
# Attributes that autotrace itself sets; all others are the program's own.
OUR_PREFIXES = ("code.", "thread.", "autotrace.", "exception.")


@dataclasses.dataclass
class Span:
    name: str
    trace_id: str
    span_id: str
    parent_id: str  # "" for a root
    start: int  # nanoseconds since 1970
    end: int
    attributes: dict
    error: bool
    events: list
    resource: dict
    children: list = dataclasses.field(default_factory=list)

    @property
    def duration(self):
        return self.end - self.start

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


def _value(any_value):
    (kind, value), = any_value.items()
    if kind == "intValue":
        assert isinstance(value, str), f"OTLP JSON writes 64-bit integers as strings: {any_value}"
        return int(value)
    if kind == "arrayValue":
        return [_value(item) for item in value.get("values", [])]
    assert kind in ("stringValue", "doubleValue", "boolValue"), any_value
    return value


def _attributes(pairs):
    attributes = {pair["key"]: _value(pair["value"]) for pair in pairs}
    assert len(attributes) == len(pairs), f"a key stands twice: {pairs}"
    return attributes


def parse_otlp(text):
    """The spans of an OTLP JSON file (one ExportTraceServiceRequest per line), in file order."""
    spans = []
    for line in text.splitlines():
        for resource_spans in json.loads(line)["resourceSpans"]:
            resource = _attributes(resource_spans["resource"]["attributes"])
            for scope_spans in resource_spans["scopeSpans"]:
                assert scope_spans["scope"]["name"] == "autotrace", scope_spans["scope"]
                for span in scope_spans["spans"]:
                    spans.append(_span(span, resource))
    return spans


def _span(span, resource):
    return Span(
        name=span["name"],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        start=int(span["startTimeUnixNano"]),
        end=int(span["endTimeUnixNano"]),
        attributes=_attributes(span.get("attributes", [])),
        error=span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"),
        events=span.get("events", []),
        resource=resource,
    )


class Forest:
    """All traces of a run. `roots` are in the order of their start."""

    def __init__(self, spans, lost_parents=False, outliving=()):
        """`lost_parents`: spans may have parents that are not there.

        `outliving`: names of spans that may end after their parents though they are on the same
        thread, because they are on another stack.
        """
        self.spans = spans
        self.by_id = {span.span_id: span for span in spans}
        assert len(self.by_id) == len(spans), "a span id stands twice"
        self.roots = []
        # Spans are written when they end, and sorting is stable: of spans with equal times, the
        # one that ended first comes first.
        for span in sorted(spans, key=lambda span: span.start):
            parent = self.by_id.get(span.parent_id)
            if parent is not None:
                parent.children.append(span)
            else:
                assert lost_parents or not span.parent_id, f"no parent: {span}"
                self.roots.append(span)
        check_invariants(self, outliving)

    @property
    def traces(self):
        return {span.trace_id for span in self.spans}

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def one(self, name):
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} spans named {name}, expected one"
        return found[0]

    def text(self, sort_roots=False):
        """The canonical text. `sort_roots` makes it independent of the order of threads."""
        blocks = [_lines(root) for root in self.roots]
        if sort_roots:
            blocks.sort()
        return "\n".join(line for line in _fold(blocks)) + ("\n" if blocks else "")

    def merged_text(self):
        """Siblings of one name as one line whose count is the total, whatever is below each."""
        lines = []
        _merge(self.roots, 0, lines)
        return "\n".join(lines) + "\n"


def check_invariants(forest, outliving):
    """What holds for every trace of every program."""
    for span in forest.spans:
        assert len(span.trace_id) == 32 and int(span.trace_id, 16) != 0, span.trace_id
        assert len(span.span_id) == 16 and int(span.span_id, 16) != 0, span.span_id
        assert span.end >= span.start, f"{span.name} ends before it starts"
        if span.parent_id:
            assert PIPELINE_KEY not in span.attributes, f"{span.name} is no root, has a pipeline id"
        for child in span.children:
            assert child.trace_id == span.trace_id, f"{child.name} is in another trace than its parent"
            same_thread = child.attributes.get("thread.id") == span.attributes.get("thread.id")
            assert child.start >= span.start, f"{child.name} starts before {span.name}"
            # A program that replaces itself is the same thread, and outlives what it was.
            may_outlive = (not same_thread or span.attributes.get("autotrace.unfinished") or
                           child.name in outliving)
            assert may_outlive or child.end <= span.end, f"{child.name} ends after {span.name}"


def _label(span):
    label = span.name
    if PIPELINE_KEY in span.attributes:
        label += f"  (pipeline {span.attributes[PIPELINE_KEY]})"
    own = {key: value for key, value in span.attributes.items() if not key.startswith(OUR_PREFIXES)}
    if own:
        label += "  {" + ", ".join(f"{key}={json.dumps(own[key])}" for key in sorted(own)) + "}"
    if span.error:
        label += "  ERROR"
    if span.attributes.get("autotrace.unfinished"):
        label += "  unfinished"
    return label


def _lines(root):
    """The lines of a tree. Iterative, since some trees are deeper than Python's stack."""
    done = {}
    stack = [(root, False)]
    while stack:
        span, children_done = stack.pop()
        if not children_done:
            stack.append((span, True))
            stack.extend((child, False) for child in span.children)
            continue
        below = _fold([done.pop(id(child)) for child in span.children])
        done[id(span)] = [_label(span)] + ["  " + line for line in below]
    return done[id(root)]


def _fold(blocks):
    """Runs of equal blocks become one, with a count on its first line."""
    lines = []
    index = 0
    while index < len(blocks):
        count = 1
        while index + count < len(blocks) and blocks[index + count] == blocks[index]:
            count += 1
        head, *rest = blocks[index]
        if count > 1:
            name, separator, special = head.partition("  ")
            head = f"{name} x{count}{separator}{special}"
        lines += [head] + rest
        index += count
    return lines


def _merge(spans, depth, lines):
    groups = {}
    for span in spans:
        groups.setdefault(_label(span), []).append(span)
    for label, members in groups.items():
        count = f" x{len(members)}" if len(members) > 1 else ""
        name, separator, special = label.partition("  ")
        lines.append("  " * depth + name + count + separator + special)
        _merge([child for member in members for child in member.children], depth + 1, lines)
