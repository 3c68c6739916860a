// /// spell
// description = "Statistics of a measurement table: per sensor, with gaps and outliers named"
// [requests]
// read = ["data/measurements.csv"]
// write = ["analysis"]
// ///

// A plain table needs no library: a header line, commas, no quotes.
const readTable = (text) => {
  const [head, ...rows] = text.trim().split("\n").map((line) => line.split(","));
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index]])));
};

const median = (values) => {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const round = (value) => Math.round(value * 100) / 100;

const rows = readTable(await fs.read("data/measurements.csv"));
const sensors = Map.groupBy(rows, (row) => row.sensor);

const summary = {};
for (const [sensor, own] of sensors) {
  const known = own.filter((row) => row.celsius !== "").map((row) => ({ ...row, celsius: Number(row.celsius) }));
  const values = known.map((row) => row.celsius);
  const center = median(values);
  // The median deviation is not moved by the very values it should find, as the standard one is.
  const spread = median(values.map((value) => Math.abs(value - center))) || 0.1;
  const outliers = known
    .filter((row) => Math.abs(row.celsius - center) > 10 * spread)
    .map((row) => ({ hour: Number(row.hour), celsius: row.celsius }));
  summary[sensor] = {
    count: values.length,
    missing: own.length - known.length,
    mean: round(mean(values)),
    median: round(center),
    outliers,
  };
  console.log(
    `${sensor.padEnd(8)} median ${center.toFixed(1)}  mean ${mean(values).toFixed(1)}` +
      (outliers.length ? `  look at hour ${outliers.map((outlier) => outlier.hour).join(", ")}` : ""),
  );
}

await fs.write("analysis/summary.json", JSON.stringify(summary, null, 2) + "\n", { createParents: true });
return summary;
