# /// spell
# description = "A sales report by region and month from a CSV file, as text and as Markdown"
# [requests]
# read = ["data/sales.csv"]
# write = ["report"]
# ///

# The modules that compute are there at every profile; money is counted in decimals.
import csv
import io
from collections import defaultdict
from decimal import Decimal

# A brokered call is awaited. Awaiting at the top of a spell is allowed.
text = await fs.read("data/sales.csv")

by_region = defaultdict(Decimal)
by_month = defaultdict(Decimal)
for row in csv.DictReader(io.StringIO(text)):
    amount = int(row["units"]) * Decimal(row["price"])
    by_region[row["region"]] += amount
    by_month[row["date"][:7]] += amount

total = sum(by_region.values())
lines = ["# Sales", "", "| region | amount | share |", "|---|---:|---:|"]
for region, amount in sorted(by_region.items(), key=lambda item: -item[1]):
    share = 100 * amount / total
    print(f"{region:<6} {amount:>9.2f}  {share:5.1f} %")
    lines.append(f"| {region} | {amount:.2f} | {share:.1f} % |")
print(f"{'total':<6} {total:>9.2f}")

await fs.write("report/sales.md", "\n".join(lines) + "\n", create_parents=True)

# A Python spell's value is its last expression. A Decimal is no JSON, so it goes out as text.
{"total": str(total), "months": {month: str(amount) for month, amount in sorted(by_month.items())}}
