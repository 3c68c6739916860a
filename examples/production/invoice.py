# /// spell
# description = "An invoice from a list of hours, rounded as tax offices want it"
# [requests]
# read = ["data/hours.json"]
# write = ["invoices"]
# ///

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def money(value):
    """Rounded to cents, halves up: the float 2.675 would become 2.67."""
    return value.quantize(CENT, ROUND_HALF_UP)


order = JSON.decode(await fs.read("data/hours.json"))
rate, vat = Decimal(order["rate"]), Decimal(order["vat"])

rows, net = [], Decimal(0)
for line in order["lines"]:
    amount = money(Decimal(line["hours"]) * rate)
    net += amount
    rows.append(f"{line['what']:<20} {line['hours']:>6} h x {rate} {amount:>10}")
# Tax is computed once, on the sum: rounding each line and adding up gives another number.
tax = money(net * vat)

page = "\n".join(
    [
        f"Invoice {order['number']} for {order['client']}",
        "",
        *rows,
        f"{'net':<38} {net:>8}",
        f"{f'VAT {vat:.0%}':<38} {tax:>8}",
        f"{'to pay':<38} {net + tax:>8}",
        "",
    ]
)
await fs.write(f"invoices/{order['number']}.txt", page, create_parents=True)
print(page, end="")

{"number": order["number"], "total": str(net + tax)}
