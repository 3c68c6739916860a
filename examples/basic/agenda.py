# /// spell
# description = "An agenda for the week from a list of appointments, with clashes named"
# [requests]
# read = ["data/agenda.json"]
# ///

import calendar
from datetime import datetime, timedelta
from itertools import combinations, groupby

entries = JSON.decode(await fs.read("data/agenda.json"))
for entry in entries:
    entry["from"] = datetime.fromisoformat(entry["start"])
    entry["to"] = entry["from"] + timedelta(minutes=entry["minutes"])
entries.sort(key=lambda entry: entry["from"])

for day, meetings in groupby(entries, key=lambda entry: entry["from"].date()):
    print(f"{calendar.day_name[day.weekday()]}, {day.isoformat()}")
    for meeting in meetings:
        times = f"{meeting['from']:%H:%M}-{meeting['to']:%H:%M}"
        print(f"  {times}  {meeting['title']} ({', '.join(meeting['who'])})")

# Two meetings clash when they overlap and somebody is in both.
clashes = []
for one, other in combinations(entries, 2):
    both = sorted(set(one["who"]) & set(other["who"]))
    if both and other["from"] < one["to"]:
        clashes.append({"first": one["title"], "second": other["title"], "who": both})
        print(f"! {one['title']} and {other['title']} overlap for {', '.join(both)}")

{"meetings": len(entries), "clashes": clashes}
