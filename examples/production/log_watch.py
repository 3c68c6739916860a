# /// spell
# description = "Finds visitors that probe a web server and proposes whom to block"
# [requests]
# read = ["data/access.log"]
# [limits]
# wall = "5s"
# ///

# The limit above is a spell's own wish to be held short; the profile's own stays the upper bound
# for everything that is not named.

import re
from collections import defaultdict

LINE = re.compile(r'(?P<ip>\S+) \S+ \S+ \[[^]]+\] "(?P<request>[^"]*)" (?P<status>\d{3}) \d+')
PROBES = ("/wp-", "/xmlrpc", "/.git", "/.env", "/phpmyadmin")

suspects = defaultdict(list)
for line in (await fs.read("data/access.log")).splitlines():
    match = LINE.match(line)
    if match is None or match["status"] not in ("403", "404"):
        continue
    path = match["request"].split()[1]
    if path.startswith(PROBES):
        suspects[match["ip"]].append(path)

threshold = params.get("threshold", 3)
blocked = [ip for ip, paths in suspects.items() if len(paths) >= threshold]
for ip in blocked:
    print(f"deny {ip};  # {', '.join(suspects[ip])}")

blocked
