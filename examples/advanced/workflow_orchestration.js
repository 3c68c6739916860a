// /// spell
// description = "A workflow with a condition, a stand-in for what fails, map and reduce, and events"
// [requests]
// llm = ["fake/*"]
// ///

const orders = [
  { id: 1, total: 20 },
  { id: 2, total: 250 },
  { id: 3, total: 80 },
];

const steps = [];
Events.subscribe("order.flagged", (event) => console.log(`flagged: order ${event.order}`));

const review = new Workflow.Sequential({
  name: "review",
  steps: [
    {
      name: "vat", tool: "calculator",
      input: { expression: "{{input.total}} * 0.19" }, output: "vat",
    },
    {
      name: "flag", condition: "{{input.total}} > 100", output: "flagged",
      run: async (context) => {
        // emitSync waits for the handlers; emit would go on at once.
        await Events.emitSync("order.flagged", { order: context.input.id });
        return true;
      },
    },
    {
      name: "rate", output: "rate",
      run: () => { throw new Error("the rate service is away"); },
      fallback: () => 1,
    },
    {
      name: "note", agent: new Agent({ name: "clerk", provider: "fake", memory: false }),
      prompt: "Order {{input.id}}: {{vat.result}} tax at rate {{rate}}.", output: "note",
    },
  ],
  errorStrategy: "fallback",
});
await review.onStepComplete((step) => { steps.push(step.name ?? step.step); });

for (const order of orders) console.log((await review.execute(order)).note);
await Events.flush();

const sum = await Workflow.mapReduce({
  name: "sum", items: orders, map: (order) => order.total,
  reduce: (totals) => totals.reduce((all, one) => all + one, 0),
});
return { steps: steps.length, total: (await sum.execute()).output };
