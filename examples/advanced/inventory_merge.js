// /// spell
// description = "Merges the stock of two warehouses and reports where they disagree"
// [requests]
// read = ["data/warehouse-a.json", "data/warehouse-b.json"]
// write = ["merged"]
// ///

// Both files are read at the same time: Promise.all and Async.all are equally good.
const [a, b] = await Promise.all(
  ["data/warehouse-a.json", "data/warehouse-b.json"].map(async (path) => JSON.parse(await fs.read(path))),
);

const merged = {};
const conflicts = [];
for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
  const here = a[name], there = b[name];
  const count = (here?.count ?? 0) + (there?.count ?? 0);
  const prices = [here?.price, there?.price].filter((price) => price !== undefined);
  // Of two prices the higher one stands until a person decides.
  merged[name] = { count, price: Math.max(...prices) };
  if (prices.length === 2 && prices[0] !== prices[1]) conflicts.push({ name, prices });
}

for (const [name, { count, price }] of Object.entries(merged)) {
  console.log(`${name.padEnd(6)} ${String(count).padStart(3)} at ${price.toFixed(2)}`);
}
for (const { name, prices } of conflicts) console.log(`! ${name}: ${prices.join(" or ")}?`);

await fs.write("merged/stock.json", JSON.stringify(merged, null, 2) + "\n", { createParents: true });

// What changed against the first warehouse, as JSON Patch operations.
const patch = await Tools.execute("diff_calculator", { old: a, new: merged, mode: "json" });
return { items: Object.keys(merged).length, conflicts, operations: patch.result.length };
