#!/usr/bin/env python3
"""Reads a Chrome trace-event file as a viewer does: times as doubles, in any order.

Checks that events on one thread nest (Perfetto drops an event that overlaps another one without
being inside of it), then prints one line per event: depth, start and duration in nanoseconds
from the first event, process, thread and name.
"""

import json
import sys
from collections import defaultdict


def to_nanoseconds(microseconds):
    return round(microseconds * 1000.0)  # what Perfetto's importer does


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        trace = json.load(file)
    process_names, thread_names = {}, {}
    tracks = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "M" and event["name"] == "process_name":
            process_names[event["pid"]] = event["args"]["name"]
        elif event["ph"] == "M" and event["name"] == "thread_name":
            thread_names[event["pid"], event["tid"]] = event["args"]["name"]
        elif event["ph"] == "X":
            start, duration = to_nanoseconds(event["ts"]), to_nanoseconds(event["dur"])
            if start < 0 or duration < 0:
                print(f"negative time: {event}")
                return 1
            tracks[event["pid"], event["tid"]].append((start, -duration, event["name"]))
        else:
            print(f"unexpected event: {event}")
            return 1
    first = min((events[0] for track in tracks.values() for events in [sorted(track)]),
                default=(0,))[0]
    for (pid, tid), events in sorted(tracks.items()):
        open_ends = []
        for start, negative_duration, name in sorted(events):
            end = start - negative_duration
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            if open_ends and end > open_ends[-1]:
                print(f"{name} overlaps the event around it by {end - open_ends[-1]} ns")
                return 1
            print(f"{len(open_ends)} {start - first}+{end - start} "
                  f"{process_names[pid]}/{thread_names.get((pid, tid), tid)} {name}")
            open_ends.append(end)
    return 0


if __name__ == "__main__":
    sys.exit(main())
