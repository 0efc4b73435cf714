// Drives many clients of the TypeScript SDK for chaos: one JSON command per line on stdin, replies and events as JSON lines on stdout.
// The SDK is used as it is, with its defaults. Around it: a fetch that stands for a load balancer (as Route.cs does for C# clients), and
// a look at the messages between the SDK and its transport.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';

const BOUND = 15_000;
const PAUSE = 20;

const clients = new Map(); // by number of the client
const aborts = new Map(); // by number of the call
const questions = new Map(); // by number of the question: what resolves it
let asked = 0;

const write = (message) => process.stdout.write(JSON.stringify(message) + '\n');
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Random numbers that a seed decides (xorshift).
function dice(seed) {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

// Sends to one endpoint, and to the next one when no response begins. Nothing is repeated with a single endpoint, nor once a response has begun.
function route(client, endpoints, random) {
  return async (_, init) => {
    const session = new Headers(init?.headers).get('mcp-session-id') ?? '';
    const method = init?.method ?? 'GET';
    // What a load balancer sends again runs once, if it says that it is the same request.
    if (method === 'POST') {
      const headers = new Headers(init.headers);
      headers.set('Mcp-Ha-Exchange', randomUUID().replaceAll('-', ''));
      init = { ...init, headers };
    }
    const first = random() % endpoints.length;
    let until;
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await fetch(endpoints[(first + attempt) % endpoints.length], init);
        if (response.status >= 400) write({ event: 'trouble', client, session, method, status: response.status, repeated: false, reason: `${response.status} to a ${method}` });
        return response;
      } catch (error) {
        if (init?.signal?.aborted) throw error;
        until ??= Date.now() + BOUND;
        const repeated = endpoints.length > 1 && Date.now() < until;
        write({ event: 'trouble', client, session, method, status: null, repeated, reason: String(error?.cause?.message ?? error?.message ?? error) });
        if (!repeated) throw error;
      }
      if ((attempt + 1) % endpoints.length === 0) await sleep(PAUSE);
    }
  };
}

// A question stays open until its user answers.
function ask(client) {
  return (request, extra) => {
    const question = ++asked;
    write({ event: 'question', client, question, method: request.method, params: request.params ?? {} });
    return new Promise((resolve, reject) => {
      questions.set(question, resolve);
      extra.signal.addEventListener('abort', () => {
        questions.delete(question);
        reject(new Error('withdrawn by the server'));
      });
    });
  };
}

const commands = {
  async connect({ client: number, endpoints, seed }) {
    const client = new Client({ name: 'chaos', version: '1.0.0' }, { capabilities: { elicitation: { form: {} }, sampling: {} } });
    client.fallbackNotificationHandler = async () => {};
    client.setRequestHandler(ElicitRequestSchema, ask(number));
    client.setRequestHandler(CreateMessageRequestSchema, ask(number));
    const transport = new StreamableHTTPClientTransport(new URL(endpoints[0]), { fetch: route(number, endpoints, dice(seed)) });
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      for (const one of [message].flat()) write({ event: 'sent', client: number, message: one });
      return send(message, options);
    };
    // The SDK calls a handler that is there already before its own.
    transport.onmessage = (message) => write({ event: 'received', client: number, message });
    await client.connect(transport);
    clients.set(number, { client, transport });
    return { session: transport.sessionId, revision: transport.protocolVersion };
  },

  async request({ client: number, call, method, params }) {
    const abort = new AbortController();
    aborts.set(call, abort);
    try {
      const { client } = clients.get(number);
      return method === 'tools/call'
        ? await client.callTool(params, undefined, { signal: abort.signal, onprogress: () => {} })
        : await client.request({ method, params }, ResultSchema, { signal: abort.signal });
    } finally {
      aborts.delete(call);
    }
  },

  async cancel({ call }) {
    aborts.get(call)?.abort('cancelled by the user');
    return {};
  },

  async answer({ question, result }) {
    questions.get(question)?.(result);
    questions.delete(question);
    return {};
  },

  async terminate({ client: number }) {
    const { client, transport } = clients.get(number);
    await transport.terminateSession();
    await client.close();
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  // Commands run side by side: Lab awaits those it wants to await.
  (async () => commands[command.command](command))().then(
    (result) => write({ reply: command.id, result }),
    (error) => write({ reply: command.id, error: { type: error?.constructor?.name ?? 'Error', message: String(error?.message ?? error), code: typeof error?.code === 'number' ? error.code : null } }),
  );
}

process.exit(0); // stdin has ended, and with it the run
