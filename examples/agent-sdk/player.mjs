// A program that plays one seat of a vitrine run with the Claude Agent SDK. In the scenario:
//
//   [[agents]]
//   name = "a"
//   kind = "exec"
//   command = ["node", "../examples/agent-sdk/player.mjs"]
//   gateway = true
//
// It reads observations as JSON lines and answers each with a JSON line, as `go doc ./agents/lines` has it. In between, one long
// conversation with the model goes on: an observation goes in as a message or as the result of the tool "act", and a call of that tool is
// the answer. Which executable and which model it is, vitrine says in the environment; the key stays with vitrine.
import { createInterface } from "node:readline";
import { createSdkMcpServer, query, tool } from "@anthropic-ai/claude-agent-sdk";
import { z } from "zod";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// The observation that waits for an answer; null when the episode is over.
let open = null;

// next reads lines until there is a new observation. It returns what the model reads of it, or null at the end.
async function next() {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return (open = null);
    const line = JSON.parse(value);
    if (line.observation) {
      open = line;
      return `<observation>\n${JSON.stringify(line.observation)}\n</observation>`;
    }
    console.error(`answer ${line.id} has no effect: ${line.refused}`);
  }
}

function answer(action, args) {
  process.stdout.write(JSON.stringify({ id: open.id, action, args }) + "\n");
}

const act = tool(
  "act",
  "Act in the world. Returns the next observation, as soon as there is one.",
  { action: z.string().describe("name of the action"), args: z.record(z.string(), z.any()).optional().describe("its arguments") },
  async ({ action, args }) => {
    if (!open) return { content: [{ type: "text", text: "The episode is over." }], isError: true };
    answer(action, args);
    return { content: [{ type: "text", text: (await next()) ?? "The episode is over." }] };
  },
);

// messages is what the model is told: the first observation, and again the open one whenever the model ended its turn without an answer.
let ended = () => {};
async function* messages() {
  let text = await next();
  while (open) {
    yield { type: "user", message: { role: "user", content: text }, parent_tool_use_id: null };
    await new Promise((resolve) => (ended = resolve));
    if (open) {
      answer("pass"); // it had its chance
      text = await next();
    }
  }
}

const conversation = query({
  prompt: messages(),
  options: {
    pathToClaudeCodeExecutable: process.env.VITRINE_CLAUDE,
    model: process.env.VITRINE_MODEL,
    systemPrompt: "You play a game. For each observation call the tool act exactly once, with one of the actions that it lists.",
    mcpServers: { world: createSdkMcpServer({ name: "world", tools: [act] }) },
    tools: [],
    allowedTools: ["mcp__world__act"],
    permissionMode: "dontAsk",
    settingSources: [],
    env: { ...process.env, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1" },
    stderr: (text) => process.stderr.write(text),
  },
});

for await (const message of conversation) {
  if (message.type === "result") {
    if (message.is_error) console.error(message.result ?? message.subtype);
    ended();
  }
}
