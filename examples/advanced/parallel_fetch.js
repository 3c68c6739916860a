// Several pages at once, each with its own outcome: one that fails does not stop the others.
//
//   llmspell run --profile high --allow-net api.example.com \
//     --param base=https://api.example.com examples/advanced/parallel_fetch.js
//
// No host is requested in a manifest here: which one is yours to say, with --allow-net.

const base = params.base;
if (!base) throw new Error("which server? --param base=https://…");
const names = ["alpha", "beta", "missing", "slow"];

// A call starts when it is made; awaiting comes later. All four are under way together.
const fetchOne = async (name) => {
  const response = await Async.timeout(http.get(`${base}/item/${name}`), 2000);
  if (!response.ok) throw new Error(`${name}: status ${response.status}`);
  return response.json();
};
const outcomes = await Async.allSettled(names.map((name) => fetchOne(name)));

let total = 0;
outcomes.forEach((outcome, index) => {
  if (outcome.status === "fulfilled") {
    total += outcome.value.stock;
    console.log(`${names[index]}: ${outcome.value.stock} in stock`);
  } else {
    console.log(`${names[index]}: ${outcome.reason.kind ?? "error"} - ${outcome.reason.message}`);
  }
});

// Async.all instead is for work that is only good when all of it is.
const [alpha, beta] = await Async.all([fetchOne("alpha"), fetchOne("beta")]);
console.log(`alpha and beta together: ${alpha.stock + beta.stock}`);

// Hosts that were not granted are refused before anything is looked up or sent.
try {
  await http.get("https://elsewhere.example.net/");
} catch (error) {
  console.log(`elsewhere: ${error.kind} by ${error.rule}`);
}

return { fetched: outcomes.filter((outcome) => outcome.status === "fulfilled").length, total };
