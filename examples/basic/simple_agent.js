// /// spell
// description = "An agent with a tool: what it was asked, what it used, what it said"
// [requests]
// llm = ["fake/*"]
// ///

// `mock` is a model without a network. With --param provider=… (and --allow-llm) it is another.
const agent = new Agent({
  name: "tutor",
  provider: params.provider ?? "mock",
  model: params.model ?? "mock-model",
  systemPrompt: "You help with sums and are brief.",
  tools: ["calculator"],
});

console.log(await agent.chat("What is 15 + 27?"));

const output = await agent.execute("What is 12 * 12?");
for (const call of output.toolCalls) {
  console.log(`used ${call.name} with ${JSON.stringify(call.arguments)}`);
}
console.log(output.content);

const roles = (await agent.history()).map((message) => message.role);
console.log(roles.join(" "));

return output.success;
