// Drives the TypeScript SDK's client for tests: one JSON command per line on stdin, replies and events as JSON lines on stdout.
// The SDK is used as it is, with all of its defaults; the one exception is at 'setImmediate'.
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';

let client;
let transport;
let questions = 0;
const answers = new Map(); // by question number: what resolves it
const calls = new Map(); // by command id: what aborts it

const write = (message) => process.stdout.write(JSON.stringify(message) + '\n');

// A question of the server stays open until the test answers it.
function ask(request, extra) {
  const question = ++questions;
  write({ event: 'question', question, method: request.method, params: request.params ?? {} });
  return new Promise((resolve, reject) => {
    answers.set(question, resolve);
    extra.signal.addEventListener('abort', () => {
      answers.delete(question);
      write({ event: 'withdrawn', question });
      reject(new Error('withdrawn by the server'));
    });
  });
}

const commands = {
  async connect({ url, session, protocolVersion, sse }) {
    client = new Client({ name: 'typescript-test', version: '1.0.0' }, { capabilities: { elicitation: { form: {} }, sampling: {} } });
    client.fallbackNotificationHandler = async (notification) =>
      write({ event: 'notification', method: notification.method, params: notification.params ?? {} });
    client.setRequestHandler(ElicitRequestSchema, ask);
    client.setRequestHandler(CreateMessageRequestSchema, ask);
    client.onerror = (error) => write({ event: 'trouble', message: String(error?.message ?? error) });
    if (sse) {
      transport = new SSEClientTransport(new URL(url));
      await client.connect(transport);
      // This transport hands over all messages of one chunk at once, and the SDK forgets a call's progress handler with its result,
      // before it runs the handlers of notifications: progress in the same chunk as the result would be dropped. So each gets a turn of its own.
      const deliver = transport.onmessage;
      transport.onmessage = (message) => setImmediate(() => deliver(message));
      return {}; // only the transport knows its session
    }

    transport = new StreamableHTTPClientTransport(new URL(url), { sessionId: session ?? undefined });
    if (protocolVersion) transport.setProtocolVersion(protocolVersion);
    await client.connect(transport);
    // A client that goes on with a session has initialised it before; saying so (again) makes the SDK open its GET stream.
    if (session) await client.notification({ method: 'notifications/initialized' });
    return { session: transport.sessionId };
  },

  async call({ id, name, arguments: args, progress }) {
    const abort = new AbortController();
    calls.set(id, abort);
    try {
      return await client.callTool({ name, arguments: args }, undefined, {
        signal: abort.signal,
        onprogress: progress ? (value) => write({ event: 'progress', call: id, value }) : undefined,
      });
    } finally {
      calls.delete(id);
    }
  },

  async cancel({ call }) {
    calls.get(call)?.abort('cancelled by the test');
    return {};
  },

  request({ method, params }) {
    return client.request({ method, params }, ResultSchema);
  },

  async answer({ question, result }) {
    answers.get(question)?.(result);
    answers.delete(question);
    return {};
  },

  async terminate() {
    await transport.terminateSession();
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  // Commands run side by side: the test awaits those it wants to await.
  (async () => commands[command.command](command))().then(
    (result) => write({ reply: command.id, result }),
    (error) => write({ reply: command.id, error: { message: String(error?.message ?? error), code: error?.code ?? null, data: error?.data ?? null } }),
  );
}

process.exit(0); // stdin has ended, and with it the test
